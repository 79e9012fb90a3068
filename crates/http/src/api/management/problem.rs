//! Problems: what a reply says that does not do what was asked for (RFC 9457).

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use wharf_core::authority::{PasswordRefusal, TokenRefusal};
use wharf_core::metadata::{Change, NoPin, Refusal};
use wharf_core::{Error, Gone, NotRestored, StoreError};

use crate::access_log::RequestId;
use crate::api::call::shortened;
use crate::api::reply;
use crate::body::Body;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong.
#[derive(Debug)]
pub(in crate::api) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: Box<More>,
}

/// What few problems have.
#[derive(Debug, Default)]
struct More {
    field: Option<String>,
    header: Option<(HeaderName, String)>,
    /// What operators are told and clients are not.
    internal: Option<String>,
}

/// A problem as it is sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Document {
    /// Always about:blank: the status and `code` say what kind of problem it is.
    r#type: &'static str,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// The kind of problem, for programs.
    code: String,
    /// What was wrong, with what, and what to do.
    detail: String,
    /// The part of the request that was wrong, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What the registry's log calls the request.
    request_id: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, more: Box::default() }
    }

    fn about(mut self, field: impl Into<String>) -> Self {
        self.more.field = Some(field.into());
        self
    }

    fn told_to_operators(mut self, reason: impl Into<String>) -> Self {
        self.more.internal = Some(reason.into());
        self
    }

    /// A part of the request is not of its form.
    pub(in crate::api) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail).about(field)
    }

    /// A part of the request is of its form, and a rule is against it.
    pub(super) fn unfit(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unfit", detail).about(field)
    }

    /// What is not there, and what is not theirs to see: these look the same.
    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        let detail = format!("there is no {what}, or it is not yours to see");
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// What they can see and may not do.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Nobody said who they are.
    pub(super) fn unauthorized(service: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
        problem.with(WWW_AUTHENTICATE, format!("Basic realm=\"{service}\", charset=\"UTF-8\""))
    }

    pub(in crate::api) fn no_such_path(path: &str) -> Self {
        let detail = format!("{} is no end-point of this API; /api/v1 lists them", shortened(path));
        Self::new(StatusCode::NOT_FOUND, "no-end-point", detail)
    }

    pub(in crate::api) fn other_methods(method: &Method, allowed: &[&str]) -> Self {
        let allowed = allowed.join(", ");
        let detail = format!("the method {method} is not for this end-point, which has {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail).with(ALLOW, allowed)
    }

    pub(in crate::api) fn internal(reason: impl Into<String>) -> Self {
        let detail = "the registry failed; its log says more under the id of this request";
        let problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        problem.told_to_operators(reason)
    }

    /// Too many ask, or ask too often.
    pub(super) fn too_many(detail: impl Into<String>, seconds: u64) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail);
        problem.with(RETRY_AFTER, seconds.to_string())
    }

    fn with(mut self, name: HeaderName, value: String) -> Self {
        self.more.header = Some((name, value));
        self
    }

    /// What became of a change that was not made.
    pub(super) fn of_change(change: Change, what: &str) -> Self {
        match change {
            Change::Done | Change::Again => Self::internal("a change that was made is no problem"),
            Change::NotFound => {
                Self::not_found(format!("{what}, or nothing of a name in the request"))
            }
            Change::Taken => {
                Self::new(StatusCode::CONFLICT, "taken", format!("{what}: the name is taken"))
            }
            Change::Stale => {
                let detail =
                    format!("{what} was changed meanwhile: read it again, and decide again");
                Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
            }
            Change::Refused(refusal) => {
                let status = match refusal {
                    Refusal::NoInvitation => StatusCode::FORBIDDEN,
                    Refusal::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
                    _ => StatusCode::CONFLICT,
                };
                Self::new(status, "refused", refusal.to_string())
            }
        }
    }

    /// The reply.
    pub(in crate::api) fn into_response(
        self,
        id: RequestId,
        operation: &'static str,
    ) -> Response<Body> {
        if let Some(reason) = &self.more.internal {
            tracing::error!(%id, operation, status = self.status.as_u16(), reason, "a request failed");
        }
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            field: self.more.field,
            request_id: id.to_string(),
        };
        let text = serde_json::to_string(&document).unwrap_or_default();
        let mut response = reply::new(self.status, text);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some((name, value)) = self.more.header
            && let Ok(value) = HeaderValue::try_from(value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(fault: StoreError) -> Self {
        match fault {
            StoreError::Unavailable(reason) | StoreError::Uncertain(reason) => {
                let detail = "the registry cannot reach one of its stores; try again";
                let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
                problem.with(RETRY_AFTER, "5".to_owned()).told_to_operators(reason)
            }
            StoreError::Full(reason) => {
                let detail = "the registry has no room left";
                let problem = Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", detail);
                problem.told_to_operators(reason)
            }
            StoreError::Corrupt(reason) => Self::internal(reason),
            StoreError::Closed(closed) => {
                Self::new(StatusCode::CONFLICT, "read-only", closed.to_string())
            }
            StoreError::OverQuota(over) => {
                Self::new(StatusCode::CONFLICT, "over-quota", over.to_string())
            }
            StoreError::TooMuch(too_much) => {
                Self::new(StatusCode::CONFLICT, "refused", too_much.to_string())
            }
        }
    }
}

/// What the registry itself says of a change of its content.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            Error::Precondition { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
            }
            Error::Stale { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail),
            Error::Gone(Gone::Collected { .. } | Gone::Needed { .. }) => {
                Self::new(StatusCode::GONE, "gone", detail)
            }
            Error::Gone(Gone::Forgotten { .. }) => Self::new(StatusCode::GONE, "forgotten", detail),
            Error::Unfit { field, .. } => Self::unfit(field, detail),
            Error::Unpinnable(NoPin::Past) => Self::unfit("expires_at", detail),
            Error::Unpinnable(NoPin::ToCome) => Self::unfit("as_of", detail),
            Error::NotRestored(NotRestored::Stands { .. } | NotRestored::NameTaken(_)) => {
                Self::new(StatusCode::CONFLICT, "taken", detail)
            }
            Error::NotRestored(NotRestored::TooMany | NotRestored::NoNamespace(_)) => {
                Self::new(StatusCode::CONFLICT, "refused", detail)
            }
            Error::Unpinnable(_) => Self::new(StatusCode::CONFLICT, "refused", detail),
            Error::Pinned(_) => Self::new(StatusCode::CONFLICT, "pinned", detail),
            Error::Needed(_) => Self::new(StatusCode::CONFLICT, "needed", detail),
            Error::Immutable(_) => Self::new(StatusCode::CONFLICT, "immutable", detail),
            Error::Unsupported(_) => Self::forbidden(detail),
            Error::Busy(_) => Self::too_many(detail, 1),
            Error::Store(fault) => fault.into(),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<PasswordRefusal> for Problem {
    fn from(refusal: PasswordRefusal) -> Self {
        match refusal {
            PasswordRefusal::Unfit(reason) => Self::unfit("password", reason),
            PasswordRefusal::Busy => Self::too_many(refusal.to_string(), 5),
            PasswordRefusal::Store(fault) => fault.into(),
        }
    }
}

impl Problem {
    /// Why nobody was let in.
    pub(super) fn of_login(refusal: TokenRefusal, service: &str) -> Self {
        match refusal {
            TokenRefusal::Login => Self::unauthorized(service, refusal.to_string()),
            TokenRefusal::Scope(reason) => Self::invalid("scope", reason),
            TokenRefusal::TooMany(wait) => {
                Self::too_many(refusal.to_string(), wait.as_secs().saturating_add(1))
            }
            TokenRefusal::Busy(reason) => Self::too_many(reason, 5),
            TokenRefusal::Store(fault) => fault.into(),
        }
    }
}
