//! The servers of a directory: how each is reached, and which is asked first.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Uri;

/// How long a server that failed is asked after the others.
const LAST_FOR: Duration = Duration::from_secs(30);

/// A text that names no server of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be ldaps://HOST or ldap://HOST, with a port or without, and nothing else")]
pub struct BadServerUrl;

/// A server of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    tls: bool,
}

impl ServerUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it speaks TLS from the first byte.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for ServerUrl {
    type Err = BadServerUrl;

    fn from_str(text: &str) -> Result<Self, BadServerUrl> {
        let uri: Uri = text.parse().map_err(|_| BadServerUrl)?;
        let tls = match uri.scheme_str() {
            Some("ldap") => false,
            Some("ldaps") => true,
            _ => return Err(BadServerUrl),
        };
        let authority = uri.authority().ok_or(BadServerUrl)?;
        let is_bare = uri.path().len() <= 1 && uri.query().is_none();
        if authority.host().is_empty() || !is_bare || text.contains(['@', '#']) {
            return Err(BadServerUrl);
        }
        Ok(Self { text: text.trim_end_matches('/').to_owned(), tls })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The servers, in the order in which they are to be asked.
#[derive(Debug)]
pub struct Servers {
    urls: Vec<ServerUrl>,
    /// When each failed last, if it did and did not answer since.
    failed: Mutex<Vec<Option<Instant>>>,
}

impl Servers {
    pub fn new(urls: Vec<ServerUrl>) -> Self {
        let failed = Mutex::new(vec![None; urls.len()]);
        Self { urls, failed }
    }

    pub fn url(&self, index: usize) -> &ServerUrl {
        &self.urls[index]
    }

    /// All of them as configured, but those that failed lately behind the others.
    pub fn in_order(&self, now: Instant) -> Vec<usize> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let late = |index: &usize| {
            failed[*index].is_some_and(|at| now.saturating_duration_since(at) < LAST_FOR)
        };
        let mut order: Vec<usize> = (0..self.urls.len()).collect();
        order.sort_by_key(late);
        order
    }

    /// Notes whether a server answered.
    pub fn note(&self, index: usize, answered: bool, now: Instant) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed[index] = (!answered).then_some(now);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_and_nothing_else() {
        for (text, shown, tls) in [
            ("ldaps://ldap.example.com", "ldaps://ldap.example.com", true),
            ("ldap://10.0.0.1:1389/", "ldap://10.0.0.1:1389", false),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!((url.as_str(), url.is_tls()), (shown, tls));
        }
        for text in [
            "",
            "ldap.example.com",
            "http://h",
            "ldapi:///run/x",
            "ldap:///dc=x",
            "ldap://h/dc=x",
            "ldap://u:p@h",
            "ldap://h?x",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_that_failed_is_asked_last_for_a_while() {
        let urls = ["ldap://a", "ldap://b", "ldap://c"].map(|url| url.parse().unwrap());
        let (servers, begin) = (Servers::new(urls.to_vec()), Instant::now());
        assert_eq!(servers.in_order(begin), [0, 1, 2]);
        servers.note(0, false, begin);
        assert_eq!(servers.in_order(begin), [1, 2, 0]);
        servers.note(1, false, begin);
        assert_eq!(servers.in_order(begin), [2, 0, 1]);
        servers.note(0, true, begin);
        assert_eq!(servers.in_order(begin), [0, 2, 1]);
        assert_eq!(servers.in_order(begin + LAST_FOR), [0, 1, 2]);
    }
}
