//! Who something is granted to, and what a token is for.

use crate::permissions::AccountName;

/// Who a grant is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(AccountName),
    /// A team of the namespace.
    Team(AccountName),
    /// A robot of the namespace.
    Robot(AccountName),
}

/// `user:ada`, `team:devs`, `robot:ci`
impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(name) => write!(formatter, "user:{name}"),
            Self::Team(name) => write!(formatter, "team:{name}"),
            Self::Robot(name) => write!(formatter, "robot:{name}"),
        }
    }
}

/// A text that names nobody to grant to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be user:NAME, team:NAME or robot:NAME")]
pub struct NoSubject(String);

impl std::str::FromStr for Subject {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let wrong = || NoSubject(text.chars().take(100).collect());
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        let name = name.parse().map_err(|_| wrong())?;
        match kind {
            "user" => Ok(Self::User(name)),
            "team" => Ok(Self::Team(name)),
            "robot" => Ok(Self::Robot(name)),
            _ => Err(wrong()),
        }
    }
}

/// What a user's token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// It stands in for the password.
    Personal,
    /// It gets new access tokens.
    Refresh,
}
