//! What a process does among others.

use std::fmt;
use std::str::FromStr;

use super::problem::Refusal;

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serving the registry.
    Registry,
    /// Background work.
    Jobs,
    /// Issuing access tokens.
    Token,
}

impl FromStr for Role {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Role, Refusal> {
        match text {
            "registry" => Ok(Role::Registry),
            "jobs" => Ok(Role::Jobs),
            "token" => Ok(Role::Token),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Registry => "registry",
            Role::Jobs => "jobs",
            Role::Token => "token",
        })
    }
}
