//! Values as they stand in JSON, in paths and in queries: texts of a form, read into types that hold nothing else.

use std::borrow::Cow;
use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wharf_core::access::{Role, Visibility};
use wharf_core::clock::Timestamp;
use wharf_core::immutability::PolicyName;
use wharf_core::metadata::{
    ChangePlace, CountKind, ExternalName, FaultKind, FindingState, FindingStates, PinName,
    PreReleases, ProviderName, Step, Subject, TokenId,
};
use wharf_core::permissions::{AccountName, Principal};
use wharf_core::retention::Age;
use wharf_core::writes::{WriteMode, WriteReason};
use wharf_oci::{Digest, NamePattern, RepositoryName, Tag, TagPattern};

/// The longest text that nothing else limits, in characters.
const LONGEST_WORDS: usize = 200;

/// What is written as a text of a form.
pub(in crate::api) trait Textual: Sized {
    /// What such a value is called in the description of the API.
    const NAME: &'static str;

    /// Reads it; the error says what is wrong, and with what.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes it.
    fn write(&self) -> String;

    /// Its form (JSON Schema).
    fn form() -> Schema;
}

/// A value that stands as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Text<T>(pub(in crate::api) T);

impl<'de, T: Textual> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        T::read(&text).map(Self).map_err(D::Error::custom)
    }
}

impl<T: Textual> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.write())
    }
}

impl<T: Textual> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::form()
    }
}

fn parsed<T: std::str::FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

macro_rules! textual {
    ($($type:ty, $name:literal, $form:tt;)*) => {$(
        impl Textual for $type {
            const NAME: &'static str = $name;

            fn read(text: &str) -> Result<Self, String> {
                parsed(text)
            }

            fn write(&self) -> String {
                self.to_string()
            }

            fn form() -> Schema {
                json_schema!($form)
            }
        }
    )*};
}

textual! {
    AccountName, "AccountName", {
        "type": "string", "minLength": 2, "maxLength": 64,
        "pattern": "^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*$",
        "description": "The name of a user, an organization, a team or a robot."
    };
    RepositoryName, "RepositoryName", {
        "type": "string", "minLength": 1, "maxLength": 255,
        "pattern": "^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$",
        "description": "The name of a repository. In a path its slashes are written %2F."
    };
    Tag, "Tag", {
        "type": "string", "pattern": "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$", "description": "A tag."
    };
    TagPattern, "TagPattern", {
        "type": "string", "pattern": "^[a-zA-Z0-9._*-]{1,128}$",
        "description": "Tags in which * stands for any text: v*."
    };
    PolicyName, "PolicyName", {
        "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$",
        "description": "What an immutability policy is called where it holds."
    };
    Digest, "Digest", {
        "type": "string",
        "pattern": "^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$",
        "description": "The digest of a manifest."
    };
    PinName, "PinName", {
        "type": "string", "pattern": "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$",
        "description": "What a pin is called in its repository."
    };
    ChangePlace, "ChangePlace", {
        "type": "string", "pattern": "^[0-9]{1,18}:[0-9]{1,18}:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$",
        "description": "A place in a history."
    };
    NamePattern, "NamePattern", {
        "type": "string", "pattern": "^[a-z0-9._/*-]{1,256}$",
        "description": "Names of repositories in which * stands for any text: team/app-*."
    };
    Age, "Age", {
        "type": "string", "pattern": "^([1-9][0-9]{0,2}[hd]|[1-9][0-9]?w)$",
        "description": "A time from 1h to 3650d: a whole number and h, d or w."
    };
    ProviderName, "ProviderName", {
        "type": "string", "pattern": "^[a-z0-9-]{1,32}$",
        "description": "What this registry calls an identity provider."
    };
    Subject, "Subject", {
        "type": "string",
        "pattern": "^(user|team|robot):[a-z0-9]((\\.|_|__|-+)?[a-z0-9])+$", "maxLength": 69,
        "description": "Who a grant is for: user:NAME, team:NAME or robot:NAME."
    };
    WriteReason, "WriteReason", {
        "type": "string", "minLength": 1, "maxLength": 200,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
        "description": "Why something may not be written."
    };
    Principal, "Principal", {
        "anyOf": [
            { "type": "string", "enum": ["anonymous", "system"] },
            {
                "type": "string", "maxLength": 69,
                "pattern": "^user:[a-z0-9]((\\.|_|__|-+)?[a-z0-9])+$"
            },
            {
                "type": "string", "maxLength": 135,
                "pattern": "^robot:(?=[^+]{2,64}\\+.{2,64}$)[a-z0-9]((\\.|_|__|-+)?[a-z0-9])+\\+[a-z0-9]((\\.|_|__|-+)?[a-z0-9])+$"
            },
        ],
        "description": "Who does something: anonymous, user:NAME or robot:NAMESPACE+NAME."
    };
}

/// What a provider calls somebody or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct There(pub(in crate::api) ExternalName);

/// The most characters that may be any: in UTF-8 each has four bytes at most.
const LONGEST_THERE: usize = 63;

impl Textual for There {
    const NAME: &'static str = "NameThere";

    fn read(text: &str) -> Result<Self, String> {
        let name = parsed(text)?;
        if text.is_ascii() || text.chars().count() <= LONGEST_THERE {
            return Ok(Self(name));
        }
        Err(format!("a name that is not all ASCII has at most {LONGEST_THERE} characters"))
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn form() -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "pattern": "^[ -~]{1,255}$" },
                { "type": "string", "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]{1,63}$" },
            ],
            "description": "What an identity provider calls somebody, or a group of people."
        })
    }
}

macro_rules! named {
    ($($type:ty, $name:literal, $description:literal, $all:expr;)*) => {$(
        impl Textual for $type {
            const NAME: &'static str = $name;

            fn read(text: &str) -> Result<Self, String> {
                let found = $all.into_iter().find(|(name, _)| *name == text);
                let names = $all.map(|(name, _)| name).join(", ");
                let shown: String = text.chars().take(100).collect();
                found.map(|(_, value)| value).ok_or_else(|| format!("{shown:?} is none of {names}"))
            }

            fn write(&self) -> String {
                let found = $all.into_iter().find(|(_, value)| value == self);
                found.map_or("", |(name, _)| name).to_owned()
            }

            fn form() -> Schema {
                json_schema!({
                    "type": "string",
                    "enum": $all.map(|(name, _)| name),
                    "description": $description
                })
            }
        }
    )*};
}

named! {
    Role, "Role", "What a grant gives; each has what those before it have.",
        Role::ALL.map(|role| (role.name(), role));
    Visibility, "Visibility", "Who may pull without a grant: nobody, every user, everyone.",
        Visibility::ALL.map(|visibility| (visibility.name(), visibility));
    CountKind, "CountKind", "What is counted.",
        [("pull", CountKind::Pull), ("push", CountKind::Push), ("index-pull", CountKind::IndexPull)];
    WriteMode, "WriteMode", "What may be written: everything, what belongs to pushes under way, nothing.",
        WriteMode::ALL.map(|mode| (mode.name(), mode));
    FaultKind, "FaultKind", "What is wrong.", FaultKind::ALL.map(|kind| (kind.name(), kind));
    FindingState, "FindingState", "What became of a finding: nothing yet, it is out of use, it was repaired, its fault is gone by itself.",
        FindingState::ALL.map(|state| (state.name(), state));
    FindingStates, "FindingStates", "Findings by what became of them: unresolved are the open and the quarantined ones.", finding_states();
    Step, "Step", "How long a bucket is.", [("hour", Step::Hour), ("day", Step::Day)];
    SortBy, "SortTags", "The order of tags: by name; by version, the newest first; by their last move, the latest first.",
        [("name", SortBy::Name), ("version", SortBy::Version), ("updated", SortBy::Updated)];
    PreReleases, "PreReleases", "Which of the versions before a release: they alone, none of them, all of them.",
        [("only", PreReleases::Only), ("none", PreReleases::None), ("all", PreReleases::All)];
    bool, "Flag", "Yes or no.", [("true", true), ("false", false)];
}

fn finding_states() -> [(&'static str, FindingStates); 6] {
    let [a, b, c, d] = FindingState::ALL.map(|state| (state.name(), FindingStates::Only(state)));
    [("unresolved", FindingStates::Unresolved), a, b, c, d, ("all", FindingStates::All)]
}

/// The order of a list of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum SortBy {
    /// By name.
    Name,
    /// By version, the newest first.
    Version,
    /// By when they last moved, the latest first.
    Updated,
}

/// A moment (RFC 3339).
impl Textual for Timestamp {
    const NAME: &'static str = "Moment";

    fn read(text: &str) -> Result<Self, String> {
        let moment = text.parse::<jiff::Timestamp>();
        let wrong = |_| format!("{:?} is no moment such as 2026-01-31T12:00:00Z", cut(text));
        moment.map(|moment| Self(moment.as_microsecond())).map_err(wrong)
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn form() -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "A moment (RFC 3339)." })
    }
}

/// The public name of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct TokenName(pub(in crate::api) TokenId);

impl Textual for TokenName {
    const NAME: &'static str = "TokenName";

    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("{:?} must be 16 hexadecimal digits", cut(text));
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok(Self(number.to_be_bytes()))
    }

    fn write(&self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }

    fn form() -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[a-f0-9]{16}$", "description": "What a token or an invitation is called by."
        })
    }
}

/// A number in a query.
impl Textual for u32 {
    const NAME: &'static str = "Number";

    fn read(text: &str) -> Result<Self, String> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let wrong = || format!("{:?} must be a whole number from 1", cut(text));
        let number: u32 = is_number.then(|| text.parse().ok()).flatten().ok_or_else(wrong)?;
        if number > 0 { Ok(number) } else { Err(wrong()) }
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn form() -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32,
            "description": "A whole number."
        })
    }
}

/// A short text: of 1 to 200 characters, none of which controls anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Words(pub(in crate::api) String);

impl Textual for Words {
    const NAME: &'static str = "Words";

    fn read(text: &str) -> Result<Self, String> {
        let fits = (1..=LONGEST_WORDS).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "{:?} must be 1 to 200 characters, none of which is a control character",
            cut(text)
        ))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn form() -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": 200,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", "description": "A short text."
        })
    }
}

/// An address of e-mail, as far as that can be told without writing to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Email(pub(in crate::api) String);

impl Textual for Email {
    const NAME: &'static str = "Email";

    fn read(text: &str) -> Result<Self, String> {
        let sound = |part: &str| {
            !part.is_empty()
                && part.chars().all(|it| !it.is_control() && !it.is_whitespace() && it != '@')
        };
        let is_address = text.len() <= 254
            && text.split_once('@').is_some_and(|(of, at)| sound(of) && sound(at));
        if is_address {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{:?} is no address of e-mail", cut(text)))
        }
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn form() -> Schema {
        json_schema!({
            "type": "string", "maxLength": 254, "pattern": "^[!-?A-~]+@[!-?A-~]+$",
            "description": "An address of e-mail."
        })
    }
}

/// After how many days something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub(in crate::api) struct Days(u16);

/// Ten years.
const MOST_DAYS: u16 = 3650;

impl Days {
    /// The moment so many days from now.
    pub(in crate::api) fn ahead(self) -> Timestamp {
        use wharf_core::clock::{Clock as _, SystemClock};
        SystemClock.now().after(std::time::Duration::from_secs(u64::from(self.0) * 24 * 3600))
    }
}

/// JSON knows no whole numbers: 30.0 is 30.
impl TryFrom<serde_json::Number> for Days {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        let whole = (1..=MOST_DAYS).find(|days| number.as_f64() == Some(f64::from(*days)));
        whole
            .map(Self)
            .ok_or_else(|| format!("{number} must be a whole number of days from 1 to {MOST_DAYS}"))
    }
}

impl JsonSchema for Days {
    fn schema_name() -> Cow<'static, str> {
        "Days".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST_DAYS, "description": "A number of days." })
    }
}

/// A password or another secret in a request. It prints nothing of itself.
#[derive(Clone, Debug)]
pub(in crate::api) struct SecretText(pub(in crate::api) wharf_core::authority::Secret);

/// The longest secret that is looked at, in bytes.
const LONGEST_SECRET: usize = 1024;

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() > LONGEST_SECRET {
            return Err(D::Error::custom("it is longer than any secret"));
        }
        Ok(Self(wharf_core::authority::Secret::new(text)))
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 256, "description": "A secret. It is never shown again." })
    }
}

/// A field that may be absent, null, or have a value: only what is there changes anything.
pub(in crate::api) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for moment in [0, 1, 1_764_000_000_123_456] {
            assert_eq!(Timestamp::read(&Timestamp(moment).write()), Ok(Timestamp(moment)));
        }
        let token = TokenName([0, 1, 2, 3, 250, 251, 252, 253]);
        assert_eq!(TokenName::read(&token.write()), Ok(token));
        for role in Role::ALL {
            assert_eq!(Role::read(&role.write()), Ok(role));
        }
    }

    #[test]
    fn what_is_of_no_form_is_refused_with_its_text() {
        for (problem, text) in [
            (Words::read("a\0b").unwrap_err(), "a\\0b"),
            (Words::read("").unwrap_err(), "1 to 200"),
            (Role::read("owner").unwrap_err(), "read, write, maintain, admin"),
            (TokenName::read("+123456789abcdef").unwrap_err(), "16 hexadecimal"),
            (u32::read("+1").unwrap_err(), "whole number"),
            (Email::read("a b@c").unwrap_err(), "no address"),
            (Timestamp::read("yesterday").unwrap_err(), "yesterday"),
        ] {
            assert!(problem.contains(text), "{problem}");
        }
        assert!(serde_json::from_str::<Days>("0").is_err());
        assert!(serde_json::from_str::<Days>("3651").is_err());
    }
}
