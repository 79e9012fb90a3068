//! Cookies (RFC 6265): their names here, and how one is found among those that a browser sends.

use http::HeaderMap;
use http::header::COOKIE;

/// Who is logged in.
pub(super) const SESSION: &str = "session";

/// Who is not, so that the form to log in belongs to one browser.
pub(super) const VISITOR: &str = "visitor";

/// A login that was begun at an identity provider.
pub(super) const ATTEMPT: &str = "attempt";

/// The first cookie of that name.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}
