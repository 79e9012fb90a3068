//! The decision who may do what, as an end-point on a listener of its own, for other services of a private network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use wharf_core::authority::Secret;
use wharf_core::operation::Action;
use wharf_core::permissions::{Decisions, Principal};
use wharf_oci::{Algorithm, Digest, Hasher, RepositoryName};

use crate::body::Body;
use crate::serve::{Connection, Handler, ServeError, serve_beside};

/// Where it is.
pub const PATH: &str = "/internal/decision";

/// The longest question, in bytes, and the longest that it may take to come.
const LONGEST: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that services may hold open.
const MAX_CONNECTIONS: usize = 1024;

/// Answers `POST` of [`PATH`] to who knows the secret.
pub struct Endpoint {
    decisions: Arc<dyn Decisions>,
    /// Of the secret. Hashes are compared, so that the time tells nothing of it.
    expected: Digest,
}

/// A question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    principal: String,
    repository: String,
    /// All where there are none.
    #[serde(default)]
    actions: Option<Vec<String>>,
}

impl Endpoint {
    /// One that has `decisions` answer who shows `secret`.
    pub fn new(decisions: Arc<dyn Decisions>, secret: &Secret) -> Self {
        Self { decisions, expected: hash(secret.expose()) }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Value, Refusal> {
        if request.uri().path() != PATH {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                format!("the only end-point is {PATH}"),
            ));
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "it is asked by POST"));
        }
        if bearer(request.headers()).map(hash) != Some(self.expected) {
            let detail = "the Authorization header must be Bearer, with the secret of access.decision_secret_file";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, detail));
        }
        let body = timeout(PATIENCE, Limited::new(request.into_body(), LONGEST).collect()).await;
        let body = body.map_err(|_| Refusal::malformed("the body does not come"))?;
        let body = body.map_err(|_| {
            Refusal::malformed(format!("the body broke off, or is longer than {LONGEST} bytes"))
        })?;
        let question: Question = serde_json::from_slice(&body.to_bytes())
            .map_err(|error| Refusal::malformed(format!("the body is no question: {error}")))?;
        self.decide(question).await
    }

    async fn decide(&self, question: Question) -> Result<Value, Refusal> {
        let principal: Principal = question
            .principal
            .parse()
            .map_err(|error| Refusal::malformed(format!("principal: {error}")))?;
        let repository: RepositoryName = question
            .repository
            .parse()
            .map_err(|error| Refusal::malformed(format!("repository: {error}")))?;
        let wanted = match question.actions {
            None => Action::ALL.to_vec(),
            Some(names) => names.iter().map(|name| action(name)).collect::<Result<_, _>>()?,
        };
        let decided = self.decisions.decide(principal, repository).await.map_err(|error| {
            tracing::error!(%error, "a decision could not be made");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer: try again")
        })?;
        let decided: Vec<_> = decided.iter().filter(|it| wanted.contains(&it.action)).collect();
        let allowed = decided.iter().filter(|it| it.allowed).map(|it| it.action.name());
        let because = decided.iter().map(
            |it| json!({ "action": it.action.name(), "allowed": it.allowed, "reason": it.reason }),
        );
        Ok(json!({
            "allowed": allowed.collect::<Vec<_>>(),
            "because": because.collect::<Vec<_>>(),
        }))
    }
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request<Incoming>, _: &Connection) -> Response<Body> {
        match self.answer(request).await {
            Ok(answer) => reply(StatusCode::OK, "application/json", &answer),
            Err(refusal) => refusal.reply(),
        }
    }
}

/// Why there is no answer: a problem document (RFC 9457).
struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    fn reply(self) -> Response<Body> {
        let title = self.status.canonical_reason().unwrap_or_default();
        let document =
            json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let mut response = reply(self.status, "application/problem+json", &document);
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}

fn reply(status: StatusCode, kind: &'static str, document: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn action(name: &str) -> Result<Action, Refusal> {
    let found = Action::ALL.into_iter().find(|action| action.name() == name);
    found.ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        Refusal::malformed(format!("actions: {shown:?} is not pull, push or delete"))
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn hash(secret: &str) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(secret.as_bytes());
    hasher.finish()
}

/// Listens on `address` and serves the end-point there until `shutdown` is over. Returns at once with the address bound
/// and what does the serving.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    endpoint: Endpoint,
    shutdown: impl Future<Output = ()>,
) -> Result<(SocketAddr, impl Future<Output = usize>), ServeError> {
    serve_beside(address, MAX_CONNECTIONS, endpoint, shutdown).await
}
