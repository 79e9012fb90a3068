//! The parts of a URL that may stand before a path of ours.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use http::uri::{Authority, Uri};

/// Longest host with port, in bytes: a DNS name has 253.
const HOST_BYTES: usize = 261;

/// Longest path prefix, in bytes.
const PREFIX_BYTES: usize = 256;

/// The URL that clients use: `http` or `https`, a host, perhaps a port. No user, no query, and no path: clients
/// look for `/v2/` at the top of a host, so what lies under a path would never be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl {
    text: String,
    authority: Range<usize>,
}

/// Why a text is no [`ExternalUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExternalUrlError {
    /// It is no absolute URL at all.
    #[error("not an absolute URL")]
    NotAbsolute,
    /// Its scheme is another one.
    #[error("the scheme must be http or https")]
    Scheme,
    /// Its host or port cannot be used.
    #[error("the host must be a name or an address, with or without a port")]
    Host,
    /// It has a path.
    #[error("a path is not allowed")]
    Path,
    /// It has a query or a fragment.
    #[error("a query or fragment is not allowed")]
    Query,
}

impl ExternalUrl {
    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port, as in an image name: `registry.example.com:8443`.
    pub fn authority(&self) -> &str {
        &self.text[self.authority.clone()]
    }
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl FromStr for ExternalUrl {
    type Err = ExternalUrlError;

    fn from_str(text: &str) -> Result<Self, ExternalUrlError> {
        if text.contains(['?', '#']) {
            return Err(ExternalUrlError::Query);
        }
        let uri = Uri::from_str(text).map_err(|_| ExternalUrlError::NotAbsolute)?;
        let given = uri.scheme_str().ok_or(ExternalUrlError::NotAbsolute)?;
        let scheme = scheme(given).ok_or(ExternalUrlError::Scheme)?;
        let given = uri.authority().ok_or(ExternalUrlError::Host)?;
        let host = host(given.as_str()).ok_or(ExternalUrlError::Host)?;
        if uri.path() != "/" {
            return Err(ExternalUrlError::Path);
        }
        let text = format!("{scheme}://{host}");
        let authority = text.len() - host.len()..text.len();
        Ok(Self { text, authority })
    }
}

/// The scheme that `text` names.
pub(super) fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// `text` if it is a host with or without a port, and nothing else.
pub(super) fn host(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if text.len() > HOST_BYTES || !text.bytes().all(plain) {
        return None;
    }
    let authority = Authority::from_str(text).ok()?;
    let name = authority.host();
    if name.is_empty() {
        return None;
    }
    if let Some(literal) = name.strip_prefix('[') {
        literal.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok()?;
    } else if name.contains(['[', ']', ':']) {
        return None;
    }
    match text.strip_prefix(name)? {
        "" => Some(text),
        port => self::port(port.strip_prefix(':')?).map(|_| text),
    }
}

/// The port that `text` is: 1 to 65535 in digits.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// `text` without slashes at its end, if it is a plain path; `/` is an empty prefix.
pub(super) fn prefix(text: &str) -> Option<&str> {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    if trimmed.is_empty() {
        return Some(trimmed);
    }
    if trimmed.len() > PREFIX_BYTES {
        return None;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
    trimmed.strip_prefix('/')?.split('/').all(segment).then_some(trimmed)
}
