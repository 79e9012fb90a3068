//! Issuers of workloads' tokens.

use std::fmt;
use std::str::FromStr;

use wharf_auth::issuer::documents::is_safe;

use super::place::FilePath;
use super::problem::Refusal;

/// The longest name of an issuer, in bytes.
const LONGEST: usize = 512;

/// An issuer, as its tokens name it. Over TLS, or on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// The URL, byte by byte as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IssuerUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<IssuerUrl, Refusal> {
        if text.len() > LONGEST || text.contains(['?', '=', ' ']) || !is_safe(text) {
            return Err(Refusal::Malformed);
        }
        Ok(IssuerUrl(text.to_owned()))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An issuer, and the file with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFile {
    /// The issuer.
    pub issuer: IssuerUrl,
    /// The file.
    pub file: FilePath,
}

impl FromStr for IssuerFile {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<IssuerFile, Refusal> {
        let (issuer, file) = text.split_once('=').ok_or(Refusal::Malformed)?;
        Ok(IssuerFile { issuer: issuer.parse()?, file: file.parse()? })
    }
}

impl fmt::Display for IssuerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.issuer, self.file)
    }
}
