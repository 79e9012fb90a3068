//! Direct uploads (docs/direct-upload.md): begin, status, addresses of parts, a part, finish, cancel.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wharf_core::direct::{PartNumber, PartTag, ReceivedPart};
use wharf_core::operation::{
    AddressParts, CancelDirectUpload, FinishDirectUpload, GetDirectUpload, PutPart,
    StartDirectUpload,
};
use wharf_core::{Completion, DirectState, Error, PartAddress, StartedDirect, UploadId};
use wharf_oci::{Digest, ErrorCode, RepositoryName};

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::reply::{self, JSON};
use crate::body::Body;
use crate::serve::incoming::IncomingError;

/// How long a part's URL can be used to begin sending it.
const URL_LIFE: Duration = Duration::from_secs(15 * 60);

/// The most parts that one request asks the addresses of.
const MOST_ADDRESSED: usize = 100;

/// The longest body of a small request, in bytes.
const SMALL_BODY: u64 = 4 << 10;

/// The longest list of parts that ends an upload, in bytes: ten thousand have less than half of it.
const LONGEST_LIST: u64 = 2 << 20;

/// How long a request waits for the verification of a blob: shorter than proxies wait for a reply.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Begin {
    size: u64,
    digest: Option<String>,
}

#[derive(Deserialize)]
struct Wanted {
    parts: Vec<NonZeroU32>,
}

#[derive(Deserialize)]
struct Sent {
    parts: Vec<SentPart>,
}

#[derive(Deserialize)]
struct SentPart {
    number: NonZeroU32,
    etag: String,
}

/// `POST /v2/<name>/_wharf/direct/uploads/`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>, Failure> {
    let repository = call.repository()?;
    let operation = call.permit(StartDirectUpload { repository: repository.clone() }).await?;
    let Begin { size, digest } = document(&mut call, SMALL_BODY).await?;
    let digest = digest.map(|text| text.parse::<Digest>()).transpose().map_err(|error| {
        Failure::invalid(ErrorCode::DigestInvalid, format!("the digest is not valid: {error}"))
    })?;
    match call.registry().start_direct_upload(&operation, size, digest).await? {
        StartedDirect::Held(digest) => Ok(reply::blob_created(&call, &repository, &digest)),
        StartedDirect::Upload(state) => {
            let location = call.location(&path(&repository, state.id));
            let mut response = unkept(&call, StatusCode::CREATED, &plan(&state, &[]));
            response.headers_mut().insert(LOCATION, reply::value(location));
            Ok(response)
        }
    }
}

/// `GET <upload>`
pub(super) async fn get(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let operation = call.permit(GetDirectUpload { repository, upload }).await?;
    let (state, received) = call.registry().get_direct_upload(&operation).await?;
    Ok(unkept(&call, StatusCode::OK, &plan(&state, &received)))
}

/// `POST <upload>/parts`
pub(super) async fn address(mut call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let operation = AddressParts { repository: repository.clone(), upload };
    let operation = call.permit(operation).await?;
    let Wanted { parts } = document(&mut call, SMALL_BODY).await?;
    if parts.is_empty() || parts.len() > MOST_ADDRESSED {
        let message = format!("one request asks for 1 to {MOST_ADDRESSED} parts");
        return Err(Failure::invalid(ErrorCode::BlobUploadInvalid, message));
    }
    let addressed = call.registry().address_parts(&operation, &parts, URL_LIFE).await?;
    let parts: Vec<Value> = addressed
        .into_iter()
        .map(|part| {
            let number = part.number;
            let (url, authorize) = match &part.address {
                PartAddress::Url(url) => (url.expose().to_owned(), false),
                PartAddress::Node => {
                    let path = format!("{}/parts/{number}", path(&repository, upload));
                    (call.location(&path), true)
                }
            };
            json!({
                "number": number,
                "size": part.size,
                "method": "PUT",
                "url": url,
                "headers": { "Content-Length": part.size.to_string() },
                "authorize": authorize,
            })
        })
        .collect();
    let document = json!({ "parts": parts, "expiresIn": URL_LIFE.as_secs() });
    Ok(unkept(&call, StatusCode::OK, &document))
}

/// `PUT <upload>/parts/<number>`, where parts go through a node.
pub(super) async fn put_part(mut call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload, number) = (call.repository()?, call.upload()?, call.part()?);
    let operation = call.permit(PutPart { repository, upload }).await?;
    let _share = call.upload_share()?;
    let announced = call.announced();
    let source = call.source(announced.unwrap_or(0));
    let tag = call.registry().put_part(&operation, number, announced, source).await?;
    let mut response = reply::empty(StatusCode::CREATED);
    response.headers_mut().insert(ETAG, reply::value(format!("\"{}\"", tag.as_str())));
    Ok(response)
}

/// `PUT <upload>?digest=<digest>`
pub(super) async fn finish(mut call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let digest = call.whole_digest()?;
    let operation = FinishDirectUpload { repository: repository.clone(), upload, digest };
    let operation = call.permit(operation).await?;
    let share = call.upload_share()?;
    let parts = {
        // Such a list is as large as a manifest.
        let _place = call.manifest_place()?;
        let Sent { parts } = document(&mut call, LONGEST_LIST).await?;
        parts.into_iter().map(sent).collect::<Result<Vec<_>, _>>()?
    };
    let registry = call.registry();
    match registry.finish_direct_upload(operation, parts, PATIENCE, share).await? {
        Completion::Done => Ok(reply::blob_created(&call, &repository, &digest)),
        Completion::UnderWay => {
            let mut response = reply::empty(StatusCode::ACCEPTED);
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(1));
            headers.insert(LOCATION, reply::value(call.location(&path(&repository, upload))));
            Ok(response)
        }
    }
}

/// `DELETE <upload>`
pub(super) async fn cancel(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, upload) = (call.repository()?, call.upload()?);
    let operation = call.permit(CancelDirectUpload { repository, upload }).await?;
    call.registry().cancel_direct_upload(&operation).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn sent(part: SentPart) -> Result<(PartNumber, PartTag), Failure> {
    let tag = part.etag.parse().map_err(|error| {
        let message = format!("the etag of part {} is not valid: {error}", part.number);
        Failure::invalid(ErrorCode::BlobUploadInvalid, message)
    })?;
    Ok((part.number, tag))
}

fn path(repository: &RepositoryName, upload: UploadId) -> String {
    format!("/v2/{repository}/_wharf/direct/uploads/{upload}")
}

fn plan(state: &DirectState, received: &[ReceivedPart]) -> Value {
    let received: Vec<Value> = received
        .iter()
        .map(|part| json!({ "number": part.number, "size": part.size, "etag": part.tag.as_str() }))
        .collect();
    json!({
        "id": state.id.to_string(),
        "size": state.plan.size,
        "partSize": state.plan.part_size,
        "parts": state.plan.count(),
        "expiresIn": state.lifetime.as_secs(),
        "received": received,
    })
}

/// A document that no cache keeps.
fn unkept(call: &Call, status: StatusCode, document: &Value) -> Response<Body> {
    let mut response = reply::json(JSON, document.to_string(), call.is_head());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The request's JSON document.
async fn document<T: DeserializeOwned>(call: &mut Call, limit: u64) -> Result<T, Failure> {
    let code = ErrorCode::BlobUploadInvalid;
    let bytes: Bytes = call.collect(limit).await.map_err(|error| match error {
        IncomingError::TooLong { .. } => {
            Failure::from(Error::TooLarge { what: "the request's document", limit })
        }
        IncomingError::TooSlow => {
            Failure::new(StatusCode::REQUEST_TIMEOUT, code, error.to_string())
        }
        IncomingError::Broken => Failure::invalid(code, error.to_string()),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("the request's document is not of its form: {error}");
        Failure::invalid(code, message)
    })
}
