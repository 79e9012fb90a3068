//! An origin: scheme, host and port, within which credentials may be sent.

use std::fmt;

use http::Uri;

use crate::{Error, HostName};

/// Scheme, host and port of a registry, or of where it sends its clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of a registry.
    pub(crate) fn new(https: bool, host: &HostName) -> Self {
        let text = host.as_str();
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
            _ => (text, None),
        };
        Self { https, host: name.to_owned(), port: port.unwrap_or(default_port(https)) }
    }

    /// The origin of an absolute address; `None` when it is none of HTTP.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.to_ascii_lowercase();
        Some(Self { https, host, port: uri.port_u16().unwrap_or(default_port(https)) })
    }

    /// The host without its port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The absolute address of `path`, with its query, here.
    ///
    /// # Errors
    /// When the path has characters that no path has.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, Error> {
        let scheme = if self.https { "https" } else { "http" };
        let bad = |_| Error::protocol(self, format!("an address that is none: {path:?}"));
        Uri::builder()
            .scheme(scheme)
            .authority(self.to_string())
            .path_and_query(path)
            .build()
            .map_err(bad)
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        if self.port != default_port(self.https) {
            write!(formatter, ":{}", self.port)?;
        }
        Ok(())
    }
}
