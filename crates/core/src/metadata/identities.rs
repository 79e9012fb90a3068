//! External identities: users as identity providers know them, and teams that are filled by providers' groups.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use async_trait::async_trait;
use wharf_oci::{Algorithm, Hasher};

use crate::StoreError;
use crate::permissions::AccountName;

/// The most groups of one person that a provider may name. Entra names 200 in a token, and most directories fewer.
pub const MOST_GROUPS: usize = 1000;

/// The most groups that fill one team.
pub const MOST_TEAM_GROUPS: usize = 100;

/// The longest subject and the longest name of a group, in bytes (OpenID Connect Core, section 2: `sub`).
const LONGEST: usize = 255;

/// The longest name of a provider in bytes.
const LONGEST_PROVIDER: usize = 32;

/// A text that is none of a provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoExternalName {
    /// No name of a provider.
    #[error("a provider's name is 1 to 32 lower-case letters, digits and '-'")]
    Provider,
    /// No subject and no group.
    #[error("a subject or group has 1 to 255 bytes, and no control characters")]
    Text,
}

/// What this registry calls an identity provider: `ldap`, `keycloak`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderName(Box<str>);

impl ProviderName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderName {
    type Err = NoExternalName;

    fn from_str(text: &str) -> Result<Self, NoExternalName> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=LONGEST_PROVIDER).contains(&text.len()) && text.bytes().all(known);
        if is_name { Ok(Self(text.into())) } else { Err(NoExternalName::Provider) }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a provider calls somebody, or a group of people: any text within limits, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalName(Box<str>);

impl ExternalName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as one word of the audit log: what would end a word or a list there is written `%XX`.
    #[must_use]
    pub fn in_a_word(&self) -> String {
        self.0.replace('%', "%25").replace(' ', "%20").replace(',', "%2C")
    }
}

impl FromStr for ExternalName {
    type Err = NoExternalName;

    fn from_str(text: &str) -> Result<Self, NoExternalName> {
        let is_name = (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_name { Ok(Self(text.into())) } else { Err(NoExternalName::Text) }
    }
}

impl fmt::Display for ExternalName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Somebody, by the word of a provider that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// Who says so.
    pub provider: ProviderName,
    /// Who it is there, for ever: nothing that is given to somebody else later, as names and addresses are.
    pub subject: ExternalName,
    /// What they would like to be called.
    pub preferred_name: String,
    /// Where they are written to. Nobody is found by it.
    pub email: Option<String>,
    /// All the groups they are in there, [`MOST_GROUPS`] at most.
    pub groups: BTreeSet<ExternalName>,
}

impl ExternalIdentity {
    /// The names that a new user may get, the best first. What is preferred is brought into the form of a name: the
    /// part before an `@`, in lower case, with `-` for what a name cannot hold. Where that is somebody's, a number is
    /// added, and at last what follows from the identity itself.
    #[must_use]
    pub fn names(&self) -> Vec<AccountName> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(self.provider.as_str().as_bytes());
        hasher.update(b"\0");
        hasher.update(self.subject.as_str().as_bytes());
        let own: String = hasher.finish().hex().chars().take(12).collect();
        let base = formed(&self.preferred_name).unwrap_or_else(|| "user".to_owned());
        let numbered = (2..=9).map(|number| format!("{base}-{number}"));
        let mut names = vec![base.clone()];
        if base == "user" {
            // Nobody is called so for having no name.
            names.clear();
        } else {
            names.extend(numbered);
        }
        names.push(format!("{base}-{own}"));
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }
}

/// The longest name that leaves room for what is added to it.
const LONGEST_FORMED: usize = 48;

fn formed(preferred: &str) -> Option<String> {
    let (local, _) = preferred.split_once('@').unwrap_or((preferred, ""));
    let mut name = String::new();
    for letter in local.chars().flat_map(char::to_lowercase).take(LONGEST_FORMED) {
        match letter {
            'a'..='z' | '0'..='9' => name.push(letter),
            // One separator between others, never two.
            '.' | '_' if name.ends_with(|last: char| last.is_ascii_alphanumeric()) => {
                name.push(letter);
            }
            _ if name.ends_with(|last: char| last.is_ascii_alphanumeric()) => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_end_matches(['.', '_', '-']);
    (name.len() >= 2).then(|| name.to_owned())
}

/// What came of somebody who signs in by a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInOutcome {
    /// They are known as this user, with the groups of now.
    Known(AccountName),
    /// They are this new user, with a namespace of the same name, and no password.
    Created(AccountName),
    /// Their user is disabled.
    Disabled,
    /// Nobody has the identity, and none may be made.
    Unknown,
    /// Nobody has the identity, and all the names that its user could get are others'.
    NamesTaken,
}

/// An identity of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// Who says so.
    pub provider: ProviderName,
    /// Who it is there.
    pub subject: ExternalName,
    /// The groups named at the last sign-in.
    pub groups: BTreeSet<ExternalName>,
}

/// A group of a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderGroup {
    /// The provider.
    pub provider: ProviderName,
    /// What the group is called there.
    pub group: ExternalName,
}

/// Groups as the audit log says them: `dex:/devs,dex:/staff`.
#[must_use]
pub fn in_words(groups: impl IntoIterator<Item = ProviderGroup>) -> String {
    let word = |it: ProviderGroup| format!("{}:{}", it.provider, it.group.in_a_word());
    groups.into_iter().map(word).collect::<Vec<_>>().join(",")
}

/// Who somebody is by the word of a provider. A user is found by provider and subject, never by a name or an address:
/// whoever chooses those elsewhere would choose whose account they get.
///
/// A user is in a team by hand (`Accounts::set_member`), or by a group that fills it. The groups of a user are those that
/// the provider named when they last signed in there; which groups fill a team may change at any time. Both of it changes by
/// `Accounts::change` as well: [`LinkIdentity`](super::LinkIdentity), [`UnlinkIdentity`](super::UnlinkIdentity),
/// [`SetTeamGroups`](super::SetTeamGroups).
#[async_trait]
pub trait Identities: Send + Sync + 'static {
    /// Finds the user of an identity, or makes one where `may_create`, and replaces the groups that this provider gave
    /// with those of now. A sign-in that tells nothing new writes nothing; a new user and other groups are in the audit
    /// log, as of somebody at `address`.
    async fn sign_in(
        &self,
        identity: ExternalIdentity,
        may_create: bool,
        address: Option<IpAddr>,
    ) -> Result<SignInOutcome, StoreError>;

    /// The identities of a user, in their order; `None` where there is no such user.
    async fn list_identities(
        &self,
        user: AccountName,
    ) -> Result<Option<Vec<LinkedIdentity>>, StoreError>;

    /// The groups that fill a team; `None` where there is no such team.
    async fn team_groups(
        &self,
        namespace: AccountName,
        team: AccountName,
    ) -> Result<Option<BTreeSet<ProviderGroup>>, StoreError>;

    /// The first `limit` users behind `after` who are in a team by a group, in the order of their names.
    async fn list_group_members(
        &self,
        namespace: AccountName,
        team: AccountName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<AccountName>, StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(preferred: &str) -> Vec<String> {
        let identity = ExternalIdentity {
            provider: "dex".parse().unwrap(),
            subject: "42".parse().unwrap(),
            preferred_name: preferred.into(),
            email: None,
            groups: BTreeSet::new(),
        };
        identity.names().iter().map(AccountName::to_string).collect()
    }

    #[test]
    fn a_new_user_is_called_as_they_prefer_in_the_form_of_a_name() {
        for (preferred, name) in [
            ("ada", "ada"),
            ("Ada.Lovelace", "ada.lovelace"),
            ("ada@example.com", "ada"),
            ("Ada  Lovelace", "ada-lovelace"),
            ("..a__b--c..", "a_b-c"),
            ("José+registry", "jos-registry"),
            ("CORP\\ada", "corp-ada"),
        ] {
            assert_eq!(names(preferred)[0], name, "{preferred}");
            assert_eq!(names(preferred)[1], format!("{name}-2"));
            assert_eq!(names(preferred).len(), 10, "{preferred}");
        }
        assert!(names(&"x".repeat(300)).iter().all(|name| name.len() <= 64));
    }

    #[test]
    fn who_has_no_name_gets_one_of_their_own() {
        for preferred in ["", "a", "@example.com", "漢字", "../.."] {
            let names = names(preferred);
            assert_eq!(names.len(), 1, "{preferred}");
            assert!(names[0].starts_with("user-") && names[0].len() == 17, "{}", names[0]);
        }
    }

    #[test]
    fn what_a_provider_says_is_within_limits() {
        for text in ["", "a\nb", "\u{7f}", &"x".repeat(256)] {
            assert!(text.parse::<ExternalName>().is_err(), "{text:?}");
        }
        for text in ["/staff/dev", "CN=Staff, DC=example", "8b0c…", &"x".repeat(255)] {
            assert!(text.parse::<ExternalName>().is_ok(), "{text:?}");
        }
        for text in ["", "A", "a b", "a:b", &"x".repeat(33)] {
            assert!(text.parse::<ProviderName>().is_err(), "{text:?}");
        }
    }
}
