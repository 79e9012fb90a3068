//! Addresses in replies: `Location` and `Link` may be absolute or relative, with queries of their own.

use http::Uri;

use super::Origin;
use crate::Error;

/// What `text` means in a reply from `base` (RFC 3986, section 5; dot segments are left to the server).
///
/// A registry behind a proxy may not know how it is reached: where it names itself with plain HTTP or another
/// port though it was reached by HTTPS, `base` is believed.
///
/// # Errors
/// When the text is no address of HTTP or HTTPS.
pub(crate) fn resolve(base: &Uri, text: &str) -> Result<Uri, Error> {
    let host = base.host().unwrap_or_default();
    let bad = || Error::protocol(host, format!("an address that is none: {:?}", cut(text)));
    let from = Origin::of(base).ok_or_else(bad)?;
    let text = text.split('#').next().unwrap_or_default();
    if text.contains("://") && !text.starts_with(['/', '?']) {
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let to = Origin::of(&uri).ok_or_else(bad)?;
        if from.https && !to.https && to.host() == from.host() {
            return from.uri(uri.path_and_query().map_or("/", |path| path.as_str()));
        }
        return Ok(uri);
    }
    if let Some(rest) = text.strip_prefix("//") {
        let scheme = if from.https { "https" } else { "http" };
        return format!("{scheme}://{rest}").parse().map_err(|_| bad());
    }
    let path = match text.as_bytes() {
        [b'/', ..] => text.to_owned(),
        [] => return Err(bad()),
        [b'?', ..] => format!("{}{text}", base.path()),
        _ => {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{text}")
        }
    };
    from.uri(&path)
}

/// A text without the query, in which there may be secrets.
fn cut(text: &str) -> String {
    crate::error::printable(text.split('?').next().unwrap_or_default())
}

/// The address with a further parameter behind its query.
///
/// # Errors
/// When the address becomes too long.
pub(crate) fn with_query(uri: &Uri, name: &str, value: &str) -> Result<Uri, Error> {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = format!("{path}{separator}{name}={}", encode(value));
    let host = uri.host().unwrap_or_default();
    let bad = || Error::protocol(host, "an address that is too long");
    Origin::of(uri).ok_or_else(bad)?.uri(&path)
}

/// A value as it stands in a query (RFC 3986, section 2.1).
pub(crate) fn encode(value: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            // A slash and a colon need no escape in a query, and digests and names are full of them.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_against_where_it_came_from() {
        let base: Uri = "https://registry.example:5000/v2/a/blobs/uploads/?x=1".parse().unwrap();
        let cases = [
            ("/v2/u/1?state=a", "https://registry.example:5000/v2/u/1?state=a"),
            ("https://other.example/u?s=1", "https://other.example/u?s=1"),
            ("//other.example/u", "https://other.example/u"),
            ("u1", "https://registry.example:5000/v2/a/blobs/uploads/u1"),
            ("?n=2", "https://registry.example:5000/v2/a/blobs/uploads/?n=2"),
            ("http://registry.example/v2/u", "https://registry.example:5000/v2/u"),
            ("/u?next=http://a.example/", "https://registry.example:5000/u?next=http://a.example/"),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(&base, text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "ftp://a.example/u", "http:// /", "file:///etc/passwd"] {
            assert!(resolve(&base, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_parameter_is_added_behind_a_query() {
        let uri: Uri = "http://a.example/u?s=1".parse().unwrap();
        let uri = with_query(&uri, "digest", "sha256:ab+c").unwrap();
        assert_eq!(uri.to_string(), "http://a.example/u?s=1&digest=sha256:ab%2Bc");
    }
}
