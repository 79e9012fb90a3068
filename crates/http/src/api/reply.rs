//! Replies: the headers that several resources share.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LINK, LOCATION, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wharf_core::UploadState;
use wharf_oci::{Digest, RepositoryName};

use crate::api::call::Call;
use crate::body::Body;

pub(super) const DOCKER_CONTENT_DIGEST: HeaderName =
    HeaderName::from_static("docker-content-digest");
pub(super) const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) const OCI_CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");
pub(super) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// The time that a tag was asked for: who does not understand that parameter does not answer with it.
pub(super) const WHARF_AS_OF: HeaderName = HeaderName::from_static("wharf-as-of");
/// How many bytes an upload has. `Range` cannot tell none from one; this can.
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What stays as it is in a query's value.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// A reply without further headers.
pub(super) fn new(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

/// A reply without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    new(status, Body::empty())
}

/// A JSON document, told in headers alone when `head`.
pub(super) fn json(content_type: HeaderValue, document: String, head: bool) -> Response<Body> {
    let length = HeaderValue::from(document.len());
    let mut response = new(StatusCode::OK, if head { Body::empty() } else { document.into() });
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// A header's value of text that came out of a type that holds only good values.
pub(super) fn value(text: impl Into<String>) -> HeaderValue {
    HeaderValue::try_from(text.into()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Tells the digest of what is answered, and makes it the strong validator.
pub(super) fn set_digest(headers: &mut HeaderMap, digest: &Digest) {
    let text = digest.to_string();
    headers.insert(ETAG, value(format!("\"{text}\"")));
    headers.insert(DOCKER_CONTENT_DIGEST, value(text));
}

/// How caches may keep replies: those between us and our clients too where everyone is served, and the client's own
/// alone where a reply depends on who asks.
pub(super) struct Keeping {
    /// What a digest names never changes, so whoever has it may keep it.
    pub(super) digests: HeaderValue,
    /// The same of manifests: where pulls are limited, none between us and a client hides pulls from us, or tells one
    /// client what is left to another.
    pub(super) manifests: HeaderValue,
    pub(super) tags: HeaderValue,
}

impl Keeping {
    pub(super) fn new(everyone: bool, limited: bool, tag_max_age: Duration) -> Self {
        let whose = |everyone| if everyone { "public" } else { "private" };
        let manifests = whose(everyone && !limited);
        let tags = match tag_max_age.as_secs() {
            0 if limited => "private, no-cache".to_owned(),
            0 => "no-cache".to_owned(),
            seconds => format!("{manifests}, max-age={seconds}"),
        };
        let immutable = |whose| value(format!("{whose}, max-age=31536000, immutable"));
        Self {
            digests: immutable(whose(everyone)),
            manifests: immutable(manifests),
            tags: value(tags),
        }
    }
}

/// The caller may not have it any more, or already has it.
pub(super) fn not_modified(digest: &Digest, cache_control: HeaderValue) -> Response<Body> {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    set_digest(response.headers_mut(), digest);
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
    response
}

/// How far an upload is: `0-<last byte>`. One without bytes is told as `0-0`, as clients expect.
pub(super) fn upload_range(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

/// Where an upload goes on, and how far it is.
pub(super) fn upload(
    status: StatusCode,
    call: &Call,
    repository: &RepositoryName,
    upload: UploadState,
) -> Response<Body> {
    let mut response = empty(status);
    let headers = response.headers_mut();
    let path = format!("/v2/{repository}/blobs/uploads/{}", upload.id);
    headers.insert(LOCATION, value(call.location(&path)));
    headers.insert(RANGE, value(upload_range(upload.offset)));
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(upload.offset));
    headers.insert(DOCKER_UPLOAD_UUID, value(upload.id.to_string()));
    response
}

/// A blob is there now.
pub(super) fn blob_created(
    call: &Call,
    repository: &RepositoryName,
    digest: &Digest,
) -> Response<Body> {
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(LOCATION, value(call.location(&format!("/v2/{repository}/blobs/{digest}"))));
    headers.insert(DOCKER_CONTENT_DIGEST, value(digest.to_string()));
    response
}

/// Says where the next page of a list is: `path` with the parameters, of which the values are encoded here.
pub(super) fn set_next(
    headers: &mut HeaderMap,
    call: &Call,
    path: &str,
    parameters: &[(&str, &str)],
) {
    let mut url = call.location(path);
    for (index, (name, text)) in parameters.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(text, QUERY_VALUE));
    }
    headers.insert(LINK, value(format!("<{url}>; rel=\"next\"")));
}
