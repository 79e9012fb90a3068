//! Blobs: pull, whole or a range (end-2), and delete (end-10). Never encoded: the bytes are the digest's.

use futures_util::StreamExt;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use wharf_core::blobs::{Content, ReadError};
use wharf_core::operation::{DeleteBlob, KeepBlob, MountBlob, PullBlob};
use wharf_core::permissions::Permitted;
use wharf_core::{Error, HeldBlob, Missing};
use wharf_oci::{ByteRange, Digest, ErrorCode};

use crate::api::call::Call;
use crate::api::conditions;
use crate::api::delivery::{self, Carrier};
use crate::api::failure::Failure;
use crate::api::reply;
use crate::body::{Body, BodyError};

/// `GET` and `HEAD /v2/<name>/blobs/<digest>`
pub(super) async fn pull(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, digest) = (call.repository()?, call.digest()?);
    let operation = call.permit(PullBlob { repository, digest }).await?;
    let blob = if call.is_head() {
        look(&call, &operation).await?
    } else {
        call.registry().find_blob(&operation).await?
    };
    let headers = &call.head.headers;
    if conditions::has_already(headers, &digest) {
        return Ok(reply::not_modified(&digest, call.keeping().digests.clone()));
    }
    if call.is_head() {
        let mut response = reply::empty(StatusCode::OK);
        describe(&call, response.headers_mut(), &digest, blob.size());
        return Ok(response);
    }
    if let Some(response) = hand_over(&call, &operation, &blob).await? {
        return Ok(response);
    }
    let range = call.header(RANGE).and_then(ByteRange::parse);
    let range = range.filter(|_| conditions::range_applies(call.header(IF_RANGE), &digest));
    match call.registry().read_blob(&blob, range, call.connection.zero_copy).await? {
        Ok(content) => Ok(send(&call, content, range.is_some(), &digest)),
        Err(ReadError::Unsatisfiable { size }) => Err(unsatisfiable(size)),
        Err(error) => Err(Failure::internal(error.to_string())),
    }
}

/// Finds a blob for who asks whether it is there: who may push is about to leave it out of a push, so it stays until then.
async fn look(call: &Call, wanted: &Permitted<PullBlob>) -> Result<HeldBlob, Failure> {
    let missing = match call.registry().find_blob(wanted).await {
        Ok(blob) if blob.is_needed() || keep(call, wanted).await? => return Ok(blob),
        // Swept a moment ago.
        Ok(_) => Missing::Blob(wanted.repository.clone(), wanted.digest).into(),
        Err(missing @ Error::NotFound(_)) => missing,
        Err(error) => return Err(error.into()),
    };
    if share(call, wanted).await? {
        Ok(call.registry().find_blob(wanted).await?)
    } else {
        Err(missing.into())
    }
}

/// Whether the repository holds a blob, and has it for who may push what needs it.
async fn keep(call: &Call, wanted: &Permitted<PullBlob>) -> Result<bool, Failure> {
    let PullBlob { repository, digest } = (**wanted).clone();
    match call.registry().permit(wanted.caller().clone(), KeepBlob { repository, digest }).await {
        Ok(operation) => Ok(call.registry().keep_blob(&operation).await?),
        // Who only pulls counts on nothing, and writes nothing.
        Err(Error::Denied) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Has the repository hold a blob that who asks may push there and could pull elsewhere: it need not be sent then.
async fn share(call: &Call, wanted: &Permitted<PullBlob>) -> Result<bool, Failure> {
    if call.settings().access.is_none() {
        return Ok(false);
    }
    let PullBlob { repository, digest } = (**wanted).clone();
    let mount = MountBlob { repository, digest, from: None };
    match call.registry().permit(wanted.caller().clone(), mount).await {
        Ok(operation) => Ok(call.registry().share_blob(&operation).await?),
        Err(Error::Denied) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The reply that has others carry the blob, where the rules say so.
async fn hand_over(
    call: &Call,
    operation: &PullBlob,
    blob: &HeldBlob,
) -> Result<Option<Response<Body>>, Failure> {
    let delivery = &call.settings().delivery;
    if !delivery.hands_over(&operation.repository, call.client_address(), blob.size()) {
        return Ok(None);
    }
    let digest = &operation.digest;
    match &delivery.carrier {
        Carrier::Node => Ok(None),
        Carrier::SignedUrl { life } => {
            let url = call.registry().sign_blob(blob, *life).await?;
            Ok(url.map(|url| delivery::redirect(&url, digest)))
        }
        Carrier::Proxy { header, prefix } => {
            let mut described = HeaderMap::new();
            describe(call, &mut described, digest, blob.size());
            // The proxy counts what it sends itself.
            described.remove(CONTENT_LENGTH);
            Ok(Some(delivery::hand_to_proxy(header, prefix, blob.key(), described)))
        }
    }
}

/// `DELETE /v2/<name>/blobs/<digest>`
pub(super) async fn delete(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, digest) = (call.repository()?, call.digest()?);
    let operation = call.permit(DeleteBlob { repository, digest }).await?;
    call.registry().delete_blob(&operation).await?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}

fn send(call: &Call, content: Content, partial: bool, digest: &Digest) -> Response<Body> {
    let Content { size, range, stream } = content;
    let length = range.end - range.start;
    let body = Body::stream(length, stream.map(|piece| piece.map_err(BodyError::from)));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    describe(call, headers, digest, length);
    if partial {
        let last = range.end.saturating_sub(1);
        headers.insert(CONTENT_RANGE, reply::value(format!("bytes {}-{last}/{size}", range.start)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn describe(call: &Call, headers: &mut HeaderMap, digest: &Digest, length: u64) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, call.keeping().digests.clone());
    reply::set_digest(headers, digest);
}

fn unsatisfiable(size: u64) -> Failure {
    let message = format!("the blob has {size} bytes, none of them in the range");
    Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::SizeInvalid, message)
        .with(CONTENT_RANGE, &format!("bytes */{size}"))
}
