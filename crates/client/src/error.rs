//! Everything that can go wrong, each saying what was wrong and with which value.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use wharf_oci::{Digest, ManifestError};

use crate::auth::{CredentialHelperError, DockerConfigError};
use crate::management::Problem;

/// Why something could not be pulled, pushed or copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to the host.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// There is something at the host, but no TLS with it: its certificate is not trusted, or it speaks plain HTTP.
    #[error("{host} cannot be reached by HTTPS: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// Whether it answered in something that is not TLS.
        is_plain: bool,
        /// What is wrong.
        reason: String,
    },
    /// The connection ended in the middle.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("{host} was silent for {} s", .after.as_secs_f32())]
    Silent {
        /// Host and port.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// The registry answered with an error.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The registry, or the one that gives tokens for it, wants other credentials or any at all.
    #[error("{host} {}: {reason}", if *.had_credentials {
        "did not accept the credentials"
    } else {
        "asks for credentials and none are known for it"
    })]
    Unauthorized {
        /// Host and port of the registry.
        host: String,
        /// Whether credentials were sent.
        had_credentials: bool,
        /// What it said.
        reason: String,
    },
    /// The registry does what no specification allows.
    #[error("{host} answered {reason}")]
    Protocol {
        /// Host and port.
        host: String,
        /// What was wrong.
        reason: String,
    },
    /// A manifest, blob, tag or name is not there.
    #[error("{what} is not in {place}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// Where.
        place: String,
    },
    /// Content does not have the digest it goes by.
    #[error("the content of {expected} is not that content: its digest is {found}")]
    Digest {
        /// The digest it goes by.
        expected: Box<Digest>,
        /// The digest it has.
        found: Box<Digest>,
    },
    /// Content does not have the size it should have.
    #[error("{digest} should have {expected} bytes, but has {found}")]
    Size {
        /// The content.
        digest: Digest,
        /// The size said of it, in bytes.
        expected: u64,
        /// The size found, in bytes; where it is more than expected, at least so many.
        found: u64,
    },
    /// Something is past a limit that keeps memory bounded.
    #[error("{what} is larger than the {limit} bytes that are accepted")]
    TooLarge {
        /// What it is.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A manifest says what no manifest may say.
    #[error("manifest {digest}: {reason}")]
    Manifest {
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        reason: Box<ManifestError>,
    },
    /// An image is more than what is copied in one go, or contradicts itself.
    #[error("{digest} {reason}")]
    Image {
        /// The manifest at fault.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file or folder is not what it should be: no layout, no tar, a bad entry.
    #[error("{} {reason}", .path.display())]
    Format {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, as what is said of it: "is no tar".
        reason: String,
    },
    /// The source has several images or platforms and it was not said which.
    #[error("{place} {reason}")]
    Choice {
        /// The source.
        place: String,
        /// What there is, and what to say.
        reason: String,
    },
    /// The management API answered with a problem.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// Docker's configuration cannot be read or written.
    #[error(transparent)]
    DockerConfig(#[from] DockerConfigError),
    /// A credential helper does not do what it is for.
    #[error(transparent)]
    CredentialHelper(#[from] CredentialHelperError),
    /// The client cannot be set up.
    #[error("{0}")]
    Setup(String),
}

impl Error {
    /// An error of the file system at `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::File { path, reason }
    }

    /// Something at `path` is not what it should be.
    pub(crate) fn format(path: &Path, reason: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), reason: reason.into() }
    }

    /// Content does not have the digest it goes by.
    pub(crate) fn digest(expected: Digest, found: Digest) -> Self {
        Self::Digest { expected: Box::new(expected), found: Box::new(found) }
    }

    /// A manifest says what no manifest may say.
    pub(crate) fn manifest(digest: Digest) -> impl FnOnce(ManifestError) -> Self {
        move |reason| Self::Manifest { digest, reason: Box::new(reason) }
    }

    /// A host breaks the protocol.
    pub(crate) fn protocol(host: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::Protocol { host: host.to_string(), reason: reason.into() }
    }

    /// Whether trying again may help because the network, not the answer, was at fault.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. } | Self::Silent { .. })
    }

    /// The status, where a registry answered with an error.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Problem(problem) => Some(problem.status),
            _ => None,
        }
    }
}

/// A registry's answer that is an error.
#[derive(Debug)]
pub struct Refusal {
    /// Host and port.
    pub host: String,
    /// What was asked.
    pub method: Method,
    /// Of what, without a query, which may hold secrets.
    pub path: String,
    /// The answer.
    pub status: StatusCode,
    /// The reasons, where the answer has them in the form of the specification.
    pub errors: Vec<ApiError>,
}

/// One reason in an answer (distribution-spec, "Error Codes").
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct ApiError {
    /// The code, such as `MANIFEST_UNKNOWN`.
    #[serde(default)]
    pub code: String,
    /// The message for people.
    #[serde(default)]
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, method, path, status, .. } = self;
        write!(formatter, "{host} answered {status} to {method} {path}")?;
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { ":" } else { ";" };
            write!(formatter, "{separator} {}", error.code)?;
            if !error.message.is_empty() {
                write!(formatter, " ({})", printable(&error.message))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// A stranger's text, cut and without control characters, so that it cannot play with a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
