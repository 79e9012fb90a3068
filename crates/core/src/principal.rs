//! Who asks: the names of users and robots, and the one form in which they are recorded.

use std::fmt;
use std::str::FromStr;

use wharf_oci::RepositoryName;

/// The longest name of an account in bytes.
const LONGEST: usize = 64;

/// Between an account's name and the name of one of its robots, in what a robot logs in with.
const ROBOT: char = '+';

/// A text that names no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of an account: 2 to 64 lower-case letters and digits, separated inside by one '.', one or \
     two '_', or any number of '-'"
)]
pub struct NoAccountName(String);

/// The name of a user, an organization, a team or a robot: of the form of one component of a repository's name, as
/// a namespace is called like its owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(Box<str>);

impl AccountName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = NoAccountName;

    fn from_str(text: &str) -> Result<Self, NoAccountName> {
        let is_name = (2..=LONGEST).contains(&text.len())
            && !text.contains('/')
            && text.parse::<RepositoryName>().is_ok();
        if is_name {
            Ok(Self(text.into()))
        } else {
            Err(NoAccountName(text.chars().take(LONGEST).collect()))
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of a robot: `namespace+robot`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RobotName {
    /// Whose robot it is.
    pub namespace: AccountName,
    /// Its own name, once in a namespace.
    pub name: AccountName,
}

impl fmt::Display for RobotName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{ROBOT}{}", self.namespace, self.name)
    }
}

impl FromStr for RobotName {
    type Err = NoAccountName;

    fn from_str(text: &str) -> Result<Self, NoAccountName> {
        let (namespace, name) = text
            .split_once(ROBOT)
            .ok_or_else(|| NoAccountName(text.chars().take(LONGEST).collect()))?;
        Ok(Self { namespace: namespace.parse()?, name: name.parse()? })
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Somebody who said nothing of themselves.
    Anonymous,
    /// The registry itself, in background work.
    System,
    /// A person.
    User(AccountName),
    /// A machine that belongs to a namespace.
    Robot(RobotName),
}

/// The text under which metadata records who did something: `anonymous`, `user:ada`, `robot:team+ci`.
impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => formatter.write_str("anonymous"),
            Self::System => formatter.write_str("system"),
            Self::User(name) => write!(formatter, "user:{name}"),
            Self::Robot(name) => write!(formatter, "robot:{name}"),
        }
    }
}

impl FromStr for Principal {
    type Err = NoAccountName;

    fn from_str(text: &str) -> Result<Self, NoAccountName> {
        match text.split_once(':') {
            None if text == "anonymous" => Ok(Self::Anonymous),
            None if text == "system" => Ok(Self::System),
            Some(("user", name)) => Ok(Self::User(name.parse()?)),
            Some(("robot", name)) => Ok(Self::Robot(name.parse()?)),
            _ => Err(NoAccountName(text.chars().take(LONGEST).collect())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_principal_comes_back_from_what_was_recorded() {
        for text in ["anonymous", "system", "user:ada", "user:a-b.c", "robot:team+ci-1"] {
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
        for text in
            ["", "user:", "user:A", "ada", "root:ada", "robot:ci", "robot:a+b+c", "user:ab:cd"]
        {
            assert!(text.parse::<Principal>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_one_component_of_a_repository() {
        let longest = "a".repeat(LONGEST);
        for text in ["ab", "team-1", "a_b", "a__b", longest.as_str()] {
            assert!(text.parse::<AccountName>().is_ok(), "{text:?}");
        }
        let long = "a".repeat(LONGEST + 1);
        for text in ["", "a", "a/b", "-ab", "ab-", "A1", "a:b", "a+b", "ü1", long.as_str()] {
            assert!(text.parse::<AccountName>().is_err(), "{text:?}");
        }
    }
}
