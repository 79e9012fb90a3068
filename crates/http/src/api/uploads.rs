//! Uploads: begin or mount (end-4, end-11), status (end-13), chunk (end-5), finish (end-6), cancel (end-14).

use http::header::{CONTENT_RANGE, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};
use wharf_core::operation::{
    AppendUpload, CancelUpload, FinishUpload, GetUpload, MountBlob, StartUpload,
};
use wharf_core::{Error, Mounted, UploadState};
use wharf_oci::{Algorithm, ContentRange, Digest, ErrorCode, RepositoryName};

use crate::api::call::{Call, shortened};
use crate::api::failure::Failure;
use crate::api::reply::{self, OCI_CHUNK_MIN_LENGTH};
use crate::body::Body;

/// `POST /v2/<name>/blobs/uploads/`: begins an upload, or is the whole of one (`digest`), or needs none (`mount`).
pub(super) async fn start(mut call: Call) -> Result<Response<Body>, Failure> {
    let repository = call.repository()?;
    let code = ErrorCode::DigestInvalid;
    if let Some(digest) = call.parameter::<Digest>("mount", code)? {
        return mount(call, repository, digest).await;
    }
    let whole = call.parameter::<Digest>("digest", code)?;
    let algorithm = call.parameter::<Algorithm>("digest-algorithm", code)?;
    let operation = call.permit(StartUpload { repository: repository.clone() }).await?;
    if let Some(digest) = whole {
        let _share = call.upload_share()?;
        let limit = call.registry().rules().max_blob_size;
        let (announced, source) = (call.announced(), call.source(limit));
        call.registry().push_blob(&operation, digest, announced, source).await?;
        return Ok(reply::blob_created(&call, &repository, &digest));
    }
    if call.collect(0).await.is_err() {
        let message = "the request that begins an upload has no body, unless it names the digest of the whole blob";
        return Err(Failure::invalid(ErrorCode::BlobUploadInvalid, message));
    }
    let algorithm = algorithm.unwrap_or(Algorithm::Sha256);
    let upload = call.registry().start_upload(&operation, algorithm).await?;
    Ok(accepted(&call, &repository, upload))
}

async fn mount(
    call: Call,
    repository: RepositoryName,
    digest: Digest,
) -> Result<Response<Body>, Failure> {
    // One that names nothing is one that is not there: the blob may come from anywhere.
    let from = match call.parameters("from").next() {
        Some(text) if text.is_empty() => None,
        _ => call.parameter::<RepositoryName>("from", ErrorCode::NameInvalid)?,
    };
    let operation = call.permit(MountBlob { repository: repository.clone(), digest, from }).await?;
    match call.registry().mount_blob(&operation).await? {
        Mounted::Mounted => Ok(reply::blob_created(&call, &repository, &digest)),
        Mounted::Upload(upload) => Ok(accepted(&call, &repository, upload)),
    }
}

fn accepted(call: &Call, repository: &RepositoryName, upload: UploadState) -> Response<Body> {
    let mut response = reply::upload(StatusCode::ACCEPTED, call, repository, upload);
    let min_chunk = call.settings().min_chunk;
    if min_chunk > 0 {
        response.headers_mut().insert(OCI_CHUNK_MIN_LENGTH, HeaderValue::from(min_chunk));
    }
    response
}

/// `GET <upload>`
pub(super) async fn get(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let operation = call.permit(GetUpload { repository: repository.clone(), upload }).await?;
    let state = call.registry().get_upload(&operation).await?;
    Ok(reply::upload(StatusCode::NO_CONTENT, &call, &repository, state))
}

/// `PATCH <upload>`
pub(super) async fn append(mut call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let range = content_range(&call)?;
    let operation = call.permit(AppendUpload { repository: repository.clone(), upload }).await?;
    let _share = call.upload_share()?;
    let announced = call.announced();
    let source = call.source(limit(&call, range));
    let appended = call.registry().append_upload(&operation, range, announced, source).await;
    let state = appended.map_err(|error| refused(&call, range, error))?;
    Ok(reply::upload(StatusCode::ACCEPTED, &call, &repository, state))
}

/// `PUT <upload>?digest=<digest>`
pub(super) async fn finish(mut call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let digest = call.whole_digest()?;
    let range = content_range(&call)?;
    let operation = FinishUpload { repository: repository.clone(), upload, digest };
    let operation = call.permit(operation).await?;
    let _share = call.upload_share()?;
    let announced = call.announced();
    let source = call.source(limit(&call, range));
    let finished = call.registry().finish_upload(&operation, range, announced, source).await;
    finished.map_err(|error| refused(&call, range, error))?;
    Ok(reply::blob_created(&call, &repository, &digest))
}

/// `DELETE <upload>`
pub(super) async fn cancel(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let operation = call.permit(CancelUpload { repository, upload }).await?;
    call.registry().cancel_upload(&operation).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// What the chunk says it is. Docker's single `PATCH` says nothing.
fn content_range(call: &Call) -> Result<Option<ContentRange>, Failure> {
    let Some(header) = call.head.headers.get(CONTENT_RANGE) else { return Ok(None) };
    let text = String::from_utf8_lossy(header.as_bytes());
    let range: ContentRange = text.parse().map_err(|error| {
        let message = format!("the Content-Range {} is not valid: {error}", shortened(&text));
        Failure::invalid(ErrorCode::BlobUploadInvalid, message)
    })?;
    // A close without a last chunk may still carry the header of no bytes.
    match call.announced() {
        Some(0) if call.head.method == Method::PUT => Ok(None),
        Some(length) if length != range.length() => {
            let message = format!(
                "the Content-Range {range} has {} bytes but the body has {length}",
                range.length()
            );
            Err(Failure::invalid(ErrorCode::SizeInvalid, message))
        }
        _ => Ok(Some(range)),
    }
}

/// How many bytes the body may have.
fn limit(call: &Call, range: Option<ContentRange>) -> u64 {
    let most = call.registry().rules().max_blob_size;
    range.map_or(most, |range| range.length().min(most))
}

/// A chunk that is longer than it said is told so; one in the wrong place, where the upload is.
fn refused(call: &Call, range: Option<ContentRange>, error: Error) -> Failure {
    let wrong_place = matches!(error, Error::WrongOffset { .. });
    if let (Error::TooLarge { limit, .. }, Some(range)) = (&error, range)
        && *limit == range.length()
    {
        let message = format!("the chunk's Content-Range is {range} but more bytes came");
        return Failure::invalid(ErrorCode::SizeInvalid, message);
    }
    let failure = Failure::from(error);
    if wrong_place { failure.with(LOCATION, &call.location(call.head.uri.path())) } else { failure }
}
