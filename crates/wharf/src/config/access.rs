//! Settings of access control: what the registry calls itself, and who may sign up.

use std::fmt;
use std::str::FromStr;

use super::problem::Refusal;

/// The longest name.
const LONGEST: usize = 255;

/// The name of the service in challenges and tokens. It stands between quotes in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName(String);

impl ServiceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<ServiceName, Refusal> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(known) {
            return Err(Refusal::Malformed);
        }
        Ok(ServiceName(text.to_owned()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may make an account for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    /// Everyone.
    Open,
    /// Who has an invitation.
    Invited,
    /// Nobody, but for the first administrator.
    Closed,
}

impl FromStr for SignUp {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<SignUp, Refusal> {
        match text {
            "open" => Ok(SignUp::Open),
            "invited" => Ok(SignUp::Invited),
            "closed" => Ok(SignUp::Closed),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for SignUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignUp::Open => "open",
            SignUp::Invited => "invited",
            SignUp::Closed => "closed",
        })
    }
}
