//! Identity providers: settings that are given for each of several, by its name.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use wharf_core::authority::Secret;
use wharf_core::metadata::{NoExternalName, ProviderName};

use super::problem::Refusal;
use super::table::{Config, Oidc};

/// The longest text.
const LONGEST: usize = 512;

/// Who gives everyone in the world an identity.
const OPEN_TO_ALL: [&str; 2] = ["https://accounts.google.com", "https://gitlab.com"];

/// Values of several things, each behind the name of its thing: `NAME=VALUE`, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Each<T>(Vec<(ProviderName, T)>);

impl<T> Each<T> {
    /// The value for a thing, the first where there are several.
    pub fn get(&self, name: &ProviderName) -> Option<&T> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value)
    }

    /// Each thing with its value.
    pub fn all(&self) -> impl Iterator<Item = (&ProviderName, &T)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Each value for a thing.
    pub fn of<'a>(&'a self, name: &'a ProviderName) -> impl Iterator<Item = &'a T> {
        self.0.iter().filter(move |(of, _)| of == name).map(|(_, value)| value)
    }

    /// The names, as often as they are given.
    pub fn names(&self) -> impl Iterator<Item = &ProviderName> {
        self.0.iter().map(|(name, _)| name)
    }
}

impl From<NoExternalName> for Refusal {
    fn from(_: NoExternalName) -> Refusal {
        Refusal::Malformed
    }
}

impl<T: FromStr<Err: Into<Refusal>>> FromStr for Each<T> {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Each<T>, Refusal> {
        if text.trim().is_empty() {
            return Ok(Each(Vec::new()));
        }
        let one = |part: &str| {
            let (name, value) = part.trim().split_once('=').ok_or(Refusal::Malformed)?;
            let value = value.parse().map_err(Into::into)?;
            Ok((name.parse()?, value))
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Each)
    }
}

impl<T: fmt::Display> fmt::Display for Each<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&texts.join(","))
    }
}

/// A text that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Text, Refusal> {
        let is_text = (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_text { Ok(Text(text.to_owned())) } else { Err(Refusal::Malformed) }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret. It prints nothing of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden(Secret);

impl Hidden {
    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl FromStr for Hidden {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Hidden, Refusal> {
        text.parse::<Text>().map(|Text(text)| Hidden(Secret::new(text)))
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A claim, and the value that it must have: `hd=example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimValue {
    /// The claim.
    pub claim: String,
    /// The value.
    pub value: String,
}

impl FromStr for ClaimValue {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<ClaimValue, Refusal> {
        let Text(text) = text.parse()?;
        let (claim, value) = text.split_once('=').ok_or(Refusal::Malformed)?;
        let is_both = !claim.is_empty() && !value.is_empty();
        let of = || ClaimValue { claim: claim.to_owned(), value: value.to_owned() };
        is_both.then(of).ok_or(Refusal::Malformed)
    }
}

impl fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.claim, self.value)
    }
}

/// What is wrong between the settings of identity providers.
pub fn broken(config: &Config) -> Vec<String> {
    let oidc = &config.oidc;
    let mut problems = Vec::new();
    let issuers: BTreeSet<_> = oidc.issuer.names().collect();
    for (setting, names) in names(oidc) {
        for name in names.difference(&issuers) {
            problems.push(format!(
                "oidc.{setting} names the provider {name}, of which oidc.issuer says nothing"
            ));
        }
    }
    for (setting, names) in once(oidc) {
        let mut known = BTreeSet::new();
        for name in names.into_iter().filter(|name| !known.insert(*name)) {
            problems.push(format!("oidc.{setting} has two values for the provider {name}"));
        }
    }
    for name in issuers {
        problems
            .extend(wrong(config, name).map(|why| format!("the identity provider {name}: {why}")));
    }
    if oidc.issuer.names().next().is_some() && !config.access.control {
        problems.push(
            "oidc.issuer is set and access.control is not: everyone is served, and nobody needs to log in"
                .to_owned(),
        );
    }
    problems
}

/// The settings beside `oidc.issuer`, and of whom they speak.
fn names(oidc: &Oidc) -> Vec<(&'static str, BTreeSet<&ProviderName>)> {
    let mut all: Vec<_> = once(oidc)
        .into_iter()
        .map(|(setting, names)| (setting, names.into_iter().collect()))
        .collect();
    all.push(("required_groups", oidc.required_groups.names().collect()));
    all.push(("required_claims", oidc.required_claims.names().collect()));
    all
}

/// The settings that have one value for each.
fn once(oidc: &Oidc) -> Vec<(&'static str, Vec<&ProviderName>)> {
    vec![
        ("issuer", oidc.issuer.names().collect()),
        ("client_id", oidc.client_id.names().collect()),
        ("client_secret", oidc.client_secret.names().collect()),
        ("client_secret_file", oidc.client_secret_file.names().collect()),
        ("label", oidc.label.names().collect()),
        ("scopes", oidc.scopes.names().collect()),
        ("subject_claim", oidc.subject_claim.names().collect()),
        ("name_claim", oidc.name_claim.names().collect()),
        ("groups_claim", oidc.groups_claim.names().collect()),
        ("create_users", oidc.create_users.names().collect()),
    ]
}

/// What is wrong with one.
fn wrong(config: &Config, name: &ProviderName) -> Option<&'static str> {
    let oidc = &config.oidc;
    let issuer = oidc.issuer.get(name).map_or("", |issuer| issuer.as_str());
    let is_required =
        oidc.required_groups.get(name).is_some() || oidc.required_claims.get(name).is_some();
    let creates = oidc.create_users.get(name) == Some(&true);
    let scopes = oidc.scopes.get(name).map_or("openid", Text::as_str);
    if *name == config.ldap.provider {
        Some(
            "users of the LDAP directory are known by that name (ldap.provider); choose another one",
        )
    } else if oidc.client_id.get(name).is_none() {
        Some("it has no oidc.client_id")
    } else if oidc.client_secret.get(name).is_some() && oidc.client_secret_file.get(name).is_some()
    {
        Some("it has both oidc.client_secret and oidc.client_secret_file; one is enough")
    } else if !scopes.split(' ').any(|scope| scope == "openid") {
        Some("its oidc.scopes have no openid: without it there is no ID token")
    } else if creates && !is_required && OPEN_TO_ALL.contains(&issuer.trim_end_matches('/')) {
        Some(
            "everyone in the world has an account there, and oidc.create_users would let all of them in; \
             say who may by oidc.required_claims or oidc.required_groups",
        )
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_name_and_written_back() {
        let text = "dex=a b,sso=hd=example.com,dex=c";
        let each: Each<Text> = text.parse().unwrap();
        let name: ProviderName = "dex".parse().unwrap();
        assert_eq!(each.of(&name).map(Text::as_str).collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(each.to_string(), text);
        assert_eq!("".parse::<Each<Text>>().unwrap().to_string(), "");
        for wrong in ["x", "dex=", "=x", "Dex=x", "dex=a,", "dex=a,b"] {
            assert_eq!(wrong.parse::<Each<Text>>(), Err(Refusal::Malformed), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let each: Each<Hidden> = "dex=s3cret".parse().unwrap();
        assert_eq!(each.to_string(), "dex=***");
        assert!(!format!("{each:?}").contains("s3cret"));
    }
}
