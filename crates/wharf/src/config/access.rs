//! What a registry with access control calls itself.

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
