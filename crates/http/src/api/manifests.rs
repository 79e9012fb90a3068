//! Manifests: pull (end-3), push (end-7), delete (end-9).

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WARNING};
use http::{HeaderValue, Response, StatusCode};
use wharf_core::clock::Timestamp;
use wharf_core::operation::{DeleteManifest, PullManifest, PutManifest};
use wharf_core::{Error, Missing, PushManifest};
use wharf_oci::{ErrorCode, Reference, Tag};

use crate::api::call::{Call, shortened};
use crate::api::conditions;
use crate::api::failure::Failure;
use crate::api::image_limits::Doing;
use crate::api::reply::{self, OCI_SUBJECT, OCI_TAG, WHARF_AS_OF};
use crate::body::Body;
use crate::serve::incoming::IncomingError;

/// How many tags one push may move.
const MOST_TAGS: usize = 100;

/// `GET` and `HEAD /v2/<name>/manifests/<reference>`, of a tag with `?as_of=` a time
pub(super) async fn pull(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, reference) = (call.repository()?, call.reference()?);
    let as_of: Option<Timestamp> = call.parameter("as_of", ErrorCode::Unsupported)?;
    let cache_control = match (&reference, as_of) {
        // Nobody on the way is to take what was for what is.
        (_, Some(_)) => HeaderValue::from_static("no-store"),
        (Reference::Digest(_), None) => call.keeping().manifests.clone(),
        (Reference::Tag(_), None) => call.keeping().tags.clone(),
    };
    let operation = call.permit(PullManifest { repository, reference }).await?;
    let manifest = match as_of {
        Some(at) => call.registry().pull_manifest_as_of(&operation, at).await,
        None => call.registry().pull_manifest(&operation).await,
    };
    let manifest = manifest.map_err(|error| match as_of {
        Some(_) => Failure::from(error).with(CACHE_CONTROL, "no-store"),
        None => error.into(),
    })?;
    if conditions::has_already(&call.head.headers, &manifest.digest) {
        return Ok(reply::not_modified(&manifest.digest, cache_control));
    }
    let cost = u32::from(!call.is_head() && !manifest.media_type.is_index());
    let told =
        call.limited(Doing::Pull, operation.principal(), &operation.repository, cost).await?;
    let length = HeaderValue::from(manifest.payload.len());
    let body = if call.is_head() {
        Body::empty()
    } else {
        call.registry().count_pull(&operation, &manifest);
        manifest.payload.into()
    };
    let mut response = reply::new(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.reserve(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(manifest.media_type.as_str()));
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, cache_control);
    reply::set_digest(headers, &manifest.digest);
    if let Some(at) = as_of {
        headers.insert(WHARF_AS_OF, reply::value(at.to_string()));
    }
    told.put(headers);
    Ok(response)
}

/// `PUT /v2/<name>/manifests/<reference>`, by digest with any number of `?tag=`
pub(super) async fn push(mut call: Call) -> Result<Response<Body>, Failure> {
    let (repository, reference) = (call.repository()?, call.reference()?);
    let tags = tags(&call, &reference)?;
    let precondition = conditions::precondition(&call.head.headers)?;
    let content_type = call.header(CONTENT_TYPE).map(str::to_owned);
    let operation =
        PutManifest { repository: repository.clone(), reference: reference.clone(), tags };
    let operation = call.permit(operation).await?;
    let told = call.limited(Doing::Push, operation.principal(), &repository, 1).await?;
    let _place = call.manifest_place()?;
    let limit = call.registry().rules().max_manifest_size;
    let payload = call.collect(limit).await.map_err(|error| unread(error, limit))?;
    let push = PushManifest { payload, content_type, precondition };
    let pushed = call.registry().push_manifest(&operation, push).await?;

    let mut response = reply::empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    let path = format!("/v2/{repository}/manifests/{reference}");
    headers.insert(LOCATION, reply::value(call.location(&path)));
    reply::set_digest(headers, &pushed.digest);
    if let Some(subject) = pushed.subject {
        headers.insert(OCI_SUBJECT, reply::value(subject.to_string()));
    }
    for warning in pushed.warnings {
        headers.append(WARNING, reply::value(format!("299 - \"{warning}\"")));
    }
    if matches!(reference, Reference::Digest(_)) {
        // A few a line: clients stop at some number of headers, others at some length of one.
        for tags in pushed.tags.chunks(10) {
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            headers.append(OCI_TAG, reply::value(tags.join(", ")));
        }
    }
    told.put(headers);
    Ok(response)
}

/// `DELETE /v2/<name>/manifests/<reference>`
pub(super) async fn delete(call: Call) -> Result<Response<Body>, Failure> {
    let (repository, reference) = (call.repository()?, call.reference()?);
    let precondition = conditions::precondition(&call.head.headers)?;
    let operation = call.permit(DeleteManifest { repository, reference }).await?;
    match call.registry().delete_manifest(&operation, precondition).await {
        Ok(()) => Ok(reply::empty(StatusCode::ACCEPTED)),
        // What is not there is not found, wherever it should have been.
        Err(Error::Precondition { current: None, .. }) => {
            let DeleteManifest { repository, reference } = &*operation;
            let missing = Missing::Manifest(repository.clone(), reference.clone());
            Err(Error::NotFound(missing).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The `tag` parameters of a push by digest, each once.
fn tags(call: &Call, reference: &Reference) -> Result<Vec<Tag>, Failure> {
    let mut tags: Vec<Tag> = Vec::new();
    for text in call.parameters("tag") {
        if matches!(reference, Reference::Tag(_)) {
            let message = "tag parameters go with a push by digest, this one is by tag";
            return Err(Failure::invalid(ErrorCode::Unsupported, message));
        }
        let tag = text.parse().map_err(|error| {
            let message = format!("the parameter tag={} is not valid: {error}", shortened(&text));
            Failure::invalid(ErrorCode::ManifestInvalid, message)
        })?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > MOST_TAGS {
            let message = format!("one push moves at most {MOST_TAGS} tags");
            return Err(Failure::new(StatusCode::URI_TOO_LONG, ErrorCode::Unsupported, message));
        }
    }
    Ok(tags)
}

fn unread(error: IncomingError, limit: u64) -> Failure {
    match error {
        IncomingError::TooLong { .. } => Error::TooLarge { what: "the manifest", limit }.into(),
        IncomingError::TooSlow => {
            Failure::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::ManifestInvalid, error.to_string())
        }
        IncomingError::Broken => Failure::invalid(ErrorCode::ManifestInvalid, error.to_string()),
    }
}
