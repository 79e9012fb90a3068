//! The query of a request's target: its parameters, decoded.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Each value of the parameter `name`, in the order of the query. One without `=` is empty; bytes that are no
/// UTF-8 become replacement characters, which nothing that is parsed here takes.
pub fn parameters<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> + 'a {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A plus stays a plus: media types have them, and no value here has spaces.
        (key == name).then(|| percent_decode_str(value).decode_utf8_lossy())
    })
}
