//! What can be wrong with a setting, said in one line.

use std::convert::Infallible;
use std::fmt;
use std::net::AddrParseError;
use std::path::PathBuf;
use std::str::ParseBoolError;

use wharf_blobs::NoCdnUrl;
use wharf_core::limits::NoRate;
use wharf_core::permissions::NoAccountName;
use wharf_http::origin::ExternalUrlError;
use wharf_jobs::BadReceiver;
use wharf_oci::{NameError, NamePatternError};

use super::declare::Setting;
use super::layers::Given;
use super::redact::redact;

/// Values longer than this many characters are cut in messages.
const LONGEST_VALUE: usize = 200;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line, counted from 1, of the configuration file.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line, such as `--listen`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Why a type did not take a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is not what the setting may be; the setting's own phrase says what that is.
    Malformed,
    /// It was understood and is refused for this reason.
    Because(String),
}

impl From<ParseBoolError> for Refusal {
    fn from(_: ParseBoolError) -> Refusal {
        Refusal::Malformed
    }
}

impl From<AddrParseError> for Refusal {
    fn from(_: AddrParseError) -> Refusal {
        Refusal::Malformed
    }
}

impl From<NoRate> for Refusal {
    fn from(_: NoRate) -> Refusal {
        Refusal::Malformed
    }
}

impl From<NoAccountName> for Refusal {
    fn from(_: NoAccountName) -> Refusal {
        Refusal::Malformed
    }
}

impl From<NoCdnUrl> for Refusal {
    fn from(_: NoCdnUrl) -> Refusal {
        Refusal::Malformed
    }
}

impl From<BadReceiver> for Refusal {
    fn from(error: BadReceiver) -> Refusal {
        Refusal::Because(error.to_string())
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Refusal {
        Refusal::Because(error.to_string())
    }
}

impl From<NamePatternError> for Refusal {
    fn from(_: NamePatternError) -> Refusal {
        Refusal::Malformed
    }
}

impl From<ExternalUrlError> for Refusal {
    fn from(_: ExternalUrlError) -> Refusal {
        Refusal::Malformed
    }
}

impl From<Infallible> for Refusal {
    fn from(never: Infallible) -> Refusal {
        match never {}
    }
}

/// One thing that is wrong, in one line without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    /// A problem in words of its own; line ends become spaces.
    pub fn new(message: impl Into<String>) -> Problem {
        Problem(message.into().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// A value that the setting's type did not take.
    pub fn value(setting: &Setting, given: &Given, refusal: Refusal) -> Problem {
        let Setting { key, must_be, .. } = setting;
        let text: String =
            redact(setting.secret, &given.text).chars().take(LONGEST_VALUE).collect();
        let origin = &given.origin;
        Problem(match refusal {
            Refusal::Malformed => format!("{key} = {text:?} (from {origin}) must be {must_be}"),
            Refusal::Because(reason) => format!("{key} = {text:?} (from {origin}): {reason}"),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that is wrong with the settings: never empty, a line each, exit code 2.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
