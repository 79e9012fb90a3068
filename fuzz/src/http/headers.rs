//! Headers about the client and about conditions, by their grammar.

use http::{HeaderMap, HeaderName};
use wharf_http::origin::ExternalUrl;

/// Whether a text may stand before a path in a `Location`: nothing, a plain path, or an origin with or without one.
pub fn is_clean_base(base: &str) -> bool {
    let at = match base.split_once("://") {
        Some((scheme, rest)) => scheme.len() + 3 + rest.find('/').unwrap_or(rest.len()),
        None => 0,
    };
    let (origin, path) = base.split_at(at);
    let clean_origin =
        origin.is_empty() || origin.parse::<ExternalUrl>().is_ok_and(|url| url.as_str() == origin);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let clean_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    let clean_path = path.is_empty()
        || path.strip_prefix('/').is_some_and(|path| path.split('/').all(clean_segment));
    clean_origin && clean_path
}

/// Whether a list of entity tags names this one, weakly, or any.
pub fn lists(headers: &HeaderMap, name: &HeaderName, tag: &str) -> bool {
    let quoted = format!("\"{tag}\"");
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        let named = |listed: &str| {
            let listed = listed.trim();
            let listed = listed.strip_prefix("W/").unwrap_or(listed);
            listed == tag || listed == quoted
        };
        value.trim() == "*" || value.split(',').any(named)
    })
}
