//! Failures: the one place where what went wrong becomes a status, a code and a message.

use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, ETAG, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use wharf_core::metadata::{Meter, OverQuota, Scope};
use wharf_core::{Error, Missing, SourceFault, StoreError};
use wharf_oci::ErrorCode;

use crate::access_log::RequestId;
use crate::api::call::shortened;
use crate::api::conditions::BothConditions;
use crate::api::reply::{self, DOCKER_CONTENT_DIGEST, JSON, UPLOAD_OFFSET};
use crate::body::Body;

/// How many missing digests one reply names.
const MOST_MISSING: usize = 200;

/// A reply that says what went wrong.
pub(super) struct Failure {
    status: StatusCode,
    errors: Vec<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What operators are told and clients are not.
    internal: Option<String>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        let errors = vec![json!({ "code": code.as_str(), "message": message.into() })];
        Self { status, errors, headers: Vec::new(), internal: None }
    }

    pub(super) fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn internal(reason: impl Into<String>) -> Self {
        let message = "the registry failed; its log says more under the request id of this reply";
        let mut failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message);
        failure.internal = Some(reason.into());
        failure
    }

    /// As many were as may be; in this time one may be again.
    pub(super) fn too_many(message: impl Into<String>, wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message)
            .with(RETRY_AFTER, &format!("{seconds:.0}"))
    }

    pub(super) fn host_missing() -> Self {
        Self::invalid(ErrorCode::Unsupported, "an HTTP/1.1 request has exactly one Host header")
    }

    pub(super) fn no_such_route(path: &str) -> Self {
        let message = format!("{} is no end-point of this registry", shortened(path));
        Self::not_found(ErrorCode::Unsupported, message)
    }

    pub(super) fn method_not_allowed(method: &Method, allowed: &[&Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
        let allowed = allowed.join(", ");
        let message = format!("the method {method} is not for this end-point, which has {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message)
            .with(ALLOW, &allowed)
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds a detail to the (first) error.
    fn detailed(mut self, detail: Value) -> Self {
        if let Some(error) = self.errors.first_mut() {
            error["detail"] = detail;
        }
        self
    }

    fn told_to_operators(mut self, reason: impl Into<String>) -> Self {
        self.internal = Some(reason.into());
        self
    }

    pub(super) fn into_response(self, id: RequestId, operation: &'static str) -> Response<Body> {
        if let Some(reason) = &self.internal {
            tracing::error!(%id, operation, status = self.status.as_u16(), reason, "a request failed");
        }
        let body = json!({ "errors": self.errors }).to_string();
        let mut response = reply::new(self.status, body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.extend(self.headers);
        response
    }
}

impl From<BothConditions> for Failure {
    fn from(error: BothConditions) -> Self {
        Self::invalid(ErrorCode::Unsupported, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(fault: StoreError) -> Self {
        Error::from(fault).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound(missing) => missing_failure(&missing),
            Error::Invalid { code, .. } => Self::invalid(code, message),
            Error::MissingContent(digests) => Self {
                status: StatusCode::NOT_FOUND,
                errors: digests.iter().take(MOST_MISSING).map(missing_content).collect(),
                headers: Vec::new(),
                internal: None,
            },
            Error::Precondition { tag, current } => {
                let detail = json!({ "tag": tag.map(|tag| tag.to_string()), "current": current });
                let code = ErrorCode::PreconditionFailed;
                let failure =
                    Self::new(StatusCode::PRECONDITION_FAILED, code, message).detailed(detail);
                match current {
                    Some(digest) => failure
                        .with(DOCKER_CONTENT_DIGEST, &digest.to_string())
                        .with(ETAG, &format!("\"{digest}\"")),
                    None => failure,
                }
            }
            Error::Immutable(frozen) => {
                let detail = json!({
                    "tag": frozen.tag.as_str(),
                    "policy": frozen.policy.name.as_str(),
                    "of": frozen.of.to_string(),
                    "since": frozen.since.to_string(),
                });
                Self::new(StatusCode::CONFLICT, ErrorCode::Denied, message).detailed(detail)
            }
            Error::WrongOffset { offset } => {
                Self::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::BlobUploadInvalid, message)
                    .with(http::header::RANGE, &reply::upload_range(offset))
                    .with(UPLOAD_OFFSET, &offset.to_string())
            }
            Error::TooLarge { limit, .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid, message)
                    .detailed(json!({ "limit": limit }))
            }
            Error::Source(SourceFault::TooSlow) => {
                Self::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::BlobUploadInvalid, message)
            }
            Error::Source(SourceFault::Broken) => {
                Self::invalid(ErrorCode::BlobUploadInvalid, message)
            }
            Error::Gone(_) => Self::new(StatusCode::GONE, ErrorCode::ManifestUnknown, message),
            Error::Unfit { .. } => Self::invalid(ErrorCode::Unsupported, message),
            Error::Pinned(kept) => Self::new(StatusCode::CONFLICT, ErrorCode::Denied, message)
                .detailed(json!({ "pin": kept.pin.as_str(), "manifest": kept.digest })),
            // These are of the management API alone.
            Error::Stale { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, ErrorCode::PreconditionFailed, message)
            }
            Error::Unpinnable(_) | Error::NotRestored(_) => {
                Self::new(StatusCode::CONFLICT, ErrorCode::Denied, message)
            }
            Error::Needed(need) => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message)
                    .detailed(json!({ "blob": need.blob, "manifest": need.manifest }))
                    .with(ALLOW, "GET, HEAD")
            }
            Error::Unsupported(_) => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message)
                    .with(ALLOW, "GET, HEAD")
            }
            Error::Denied => Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message),
            Error::Busy(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
                    .with(RETRY_AFTER, "1")
            }
            Error::Store(fault) => store_failure(&fault),
        }
    }
}

fn missing_failure(missing: &Missing) -> Failure {
    let code = match missing {
        Missing::Repository(_) | Missing::DeletedRepository(_) => ErrorCode::NameUnknown,
        Missing::Manifest(..) | Missing::Pin(..) | Missing::Deleted(..) => {
            ErrorCode::ManifestUnknown
        }
        Missing::Blob(..) => ErrorCode::BlobUnknown,
        Missing::Upload(..) => ErrorCode::BlobUploadUnknown,
    };
    Failure::not_found(code, missing.to_string())
}

fn missing_content(digest: &wharf_oci::Digest) -> Value {
    json!({
        "code": ErrorCode::ManifestBlobUnknown.as_str(),
        "message": format!("the manifest names {digest}, which this repository does not hold; push it first"),
        "detail": { "digest": digest },
    })
}

/// What did not fit, for programs.
fn quota_detail(over: &OverQuota) -> Value {
    let meter = match over.meter {
        Meter::Bytes | Meter::BytesWithUploads => "bytes",
        Meter::Manifests => "manifests",
        Meter::Tags => "tags",
    };
    let scope = match &over.scope {
        Scope::Namespace(name) => json!({ "namespace": name.as_str() }),
        Scope::Repository(name) => json!({ "repository": name.as_str() }),
    };
    json!({
        "quota": scope,
        "of": meter,
        "used": over.used,
        "limit": over.limit,
        "needed": over.needed,
    })
}

fn store_failure(fault: &StoreError) -> Failure {
    match fault {
        StoreError::Unavailable(reason) | StoreError::Uncertain(reason) => Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "the registry cannot reach one of its stores; try again",
        )
        .with(RETRY_AFTER, "5")
        .told_to_operators(reason),
        StoreError::Full(reason) => Failure::new(
            StatusCode::INSUFFICIENT_STORAGE,
            ErrorCode::Unavailable,
            "the registry has no room left",
        )
        .told_to_operators(reason),
        StoreError::Corrupt(reason) => Failure::internal(reason),
        // As distribution answers in its read-only mode: clients show the message, and do not try again.
        StoreError::Closed(closed) => {
            let detail = json!({
                "mode": closed.mode.name(),
                "reason": closed.reason.as_ref().map(|reason| reason.as_str()),
            });
            let (status, code) = (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported);
            Failure::new(status, code, closed.to_string()).detailed(detail).with(ALLOW, "GET, HEAD")
        }
        // Clients show what is denied as it is, and do not try it again.
        StoreError::OverQuota(over) => {
            Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, over.to_string())
                .detailed(quota_detail(over))
        }
        StoreError::TooMuch(too_much) => {
            Failure::new(StatusCode::CONFLICT, ErrorCode::Denied, too_much.to_string())
        }
    }
}
