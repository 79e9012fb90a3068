//! Conditional requests (RFC 9110, section 13). A digest is the entity tag, and it is a strong one.

use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use wharf_core::metadata::Precondition;
use wharf_oci::Digest;

/// A list of entity tags, or the star for any.
enum Listed {
    Any,
    Tags(Vec<Digest>),
}

/// Whether `If-None-Match` names what the client would be sent. Weak tags count: it compares weakly.
pub fn has_already(headers: &HeaderMap, digest: &Digest) -> bool {
    match listed(headers, &IF_NONE_MATCH, true) {
        Some(Listed::Any) => true,
        Some(Listed::Tags(tags)) => tags.contains(digest),
        None => false,
    }
}

/// Whether `If-Range`, where it is there, lets a range be answered: only the strong tag does.
pub fn range_applies(if_range: Option<&str>, digest: &Digest) -> bool {
    if_range.is_none_or(|text| entity_tag(text.trim(), false) == Some(*digest))
}

/// Both `If-Match` and `If-None-Match` would hold a change back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("If-Match and If-None-Match cannot both hold the request back; send one of them")]
pub struct BothConditions;

/// Where a tag must stand for a change to happen.
///
/// # Errors
/// [`BothConditions`].
pub fn precondition(headers: &HeaderMap) -> Result<Precondition, BothConditions> {
    match (listed(headers, &IF_MATCH, false), listed(headers, &IF_NONE_MATCH, true)) {
        (None, None) => Ok(Precondition::None),
        (Some(Listed::Any), None) => Ok(Precondition::Exists),
        (Some(Listed::Tags(digests)), None) => Ok(Precondition::At(digests)),
        (None, Some(Listed::Any)) => Ok(Precondition::Absent),
        (None, Some(Listed::Tags(digests))) => Ok(Precondition::NotAt(digests)),
        (Some(_), Some(_)) => Err(BothConditions),
    }
}

/// What a header lists. Tags that are no digests match nothing here, so they are left out.
fn listed(headers: &HeaderMap, name: &http::HeaderName, weak: bool) -> Option<Listed> {
    let mut tags = Vec::new();
    let mut found = false;
    for value in headers.get_all(name) {
        found = true;
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Some(Listed::Any);
        }
        tags.extend(text.split(',').filter_map(|tag| entity_tag(tag.trim(), weak)));
    }
    found.then_some(Listed::Tags(tags))
}

/// The digest that an entity tag is. Some clients leave the quotes away.
fn entity_tag(text: &str, weak: bool) -> Option<Digest> {
    let text = match text.strip_prefix("W/") {
        Some(rest) if weak => rest,
        Some(_) => return None,
        None => text,
    };
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    bare.parse().ok()
}
