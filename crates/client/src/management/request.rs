//! A request to the API, and what is made of its reply.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Answer, Management, Problem};
use crate::connection::{Call, Payload, Reply};
use crate::{ApiError, Credentials, Error, Refusal};

/// The largest reply, in bytes: a page of a thousand things.
pub(super) const MAX_REPLY: usize = 8 << 20;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Management {
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Error> {
        let reply = self.send(self.request(Method::GET, path)?).await?;
        self.read(reply).await
    }

    /// Makes something. A retry after a reply that was lost makes it no second time.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Error> {
        let call = self.request(Method::POST, path)?.header(IDEMPOTENCY_KEY, idempotency_key()?);
        let reply = self.send(with_json(call, body)?).await?;
        self.read(reply).await
    }

    /// The same where there is nothing to be answered.
    pub(super) async fn post_quietly(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), Error> {
        let call = self.request(Method::POST, path)?.header(IDEMPOTENCY_KEY, idempotency_key()?);
        self.send(with_json(call, body)?).await.map(drop)
    }

    /// The same without saying who asks.
    pub(super) async fn post_as_nobody<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Error> {
        let call = self.request(Method::POST, path)?.header(IDEMPOTENCY_KEY, idempotency_key()?);
        let reply = self.send_as(None, with_json(call, body)?).await?;
        self.read(reply).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Error> {
        let reply = self.send(with_json(self.request(Method::PATCH, path)?, body)?).await?;
        self.read(reply).await
    }

    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Error> {
        let reply = self.send(with_json(self.request(Method::PUT, path)?, body)?).await?;
        self.read(reply).await
    }

    /// Puts what says everything by its address.
    pub(super) async fn put_empty(&self, path: &str) -> Result<(), Error> {
        self.send(self.request(Method::PUT, path)?).await?;
        Ok(())
    }

    /// Deletes something. What is gone after a try whose reply was lost is deleted.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Error> {
        let credentials = self.authorization().await?;
        let mut call = self.request(Method::DELETE, path)?;
        call.credentials = Some(credentials.clone());
        let reply = self.client.call(call).await?;
        if reply.may_be_done_before && reply.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.accepted(reply, credentials.is_some()).await.map(drop)
    }

    pub(super) fn request(&self, method: Method, path: &str) -> Result<Call, Error> {
        Ok(Call::new(method, self.origin.uri(path)?, self.origin.clone(), Vec::new()))
    }

    /// Sends a request in the name of the user. Returns a reply that is no error.
    pub(super) async fn send(&self, call: Call) -> Result<Reply, Error> {
        let credentials = self.authorization().await?;
        self.send_as(credentials, call).await
    }

    /// `Basic` with the login that is known.
    async fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        match self.login().await? {
            Some(login) if login.is_identity_token() => Err(Error::Unauthorized {
                host: self.origin.to_string(),
                had_credentials: false,
                reason: "what `docker login` keeps for it is a token for images alone".to_owned(),
            }),
            login => Ok(login.as_ref().and_then(Credentials::header)),
        }
    }

    /// The same with this `Authorization`, or none.
    pub(super) async fn send_as(
        &self,
        credentials: Option<HeaderValue>,
        mut call: Call,
    ) -> Result<Reply, Error> {
        let had_credentials = credentials.is_some();
        call.credentials = Some(credentials);
        let reply = self.client.call(call).await?;
        self.accepted(reply, had_credentials).await
    }

    /// The reply, where it is no error.
    async fn accepted(&self, reply: Reply, had_credentials: bool) -> Result<Reply, Error> {
        if reply.status.is_success() {
            return Ok(reply);
        }
        let status = reply.status;
        let refusal = refusal(reply).await;
        if status != StatusCode::UNAUTHORIZED {
            return Err(refusal);
        }
        let reason = match refusal {
            Error::Problem(problem) => problem.detail,
            other => other.to_string(),
        };
        Err(Error::Unauthorized { host: self.origin.to_string(), had_credentials, reason })
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, reply: Reply) -> Result<Answer<T>, Error> {
        let json = self.json(reply).await?;
        Answer::read(json).map_err(|place| self.unreadable(&place))
    }

    /// The JSON in a reply.
    pub(super) async fn json<T: DeserializeOwned>(&self, reply: Reply) -> Result<T, Error> {
        let bytes = reply.bytes("the reply of the management API", MAX_REPLY).await?;
        // The parser's message could quote a secret.
        serde_json::from_slice(&bytes).map_err(|error| {
            self.unreadable(&format!("line {}, column {}", error.line(), error.column()))
        })
    }

    pub(super) fn unreadable(&self, place: &str) -> Error {
        Error::protocol(&self.host, format!("what the management API does not: {place}"))
    }
}

/// The error that a reply is: a problem, or whatever a proxy before the registry says.
async fn refusal(reply: Reply) -> Error {
    let is_problem = reply
        .header(header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/problem+json"));
    if !is_problem {
        return reply.refusal().await;
    }
    let (host, status) = (reply.host(), reply.status);
    let (method, path) = reply.asked();
    let refused = |message: String| {
        let errors = vec![ApiError { code: "PROBLEM".to_owned(), message }];
        Error::Refused(Box::new(Refusal { host: host.clone(), method, path, status, errors }))
    };
    match reply.bytes("a problem", MAX_REPLY).await {
        Ok(bytes) => match Problem::read(host.clone(), status, &bytes) {
            Some(problem) => Error::Problem(Box::new(problem)),
            None => refused("it cannot be read".to_owned()),
        },
        Err(error) => refused(error.to_string()),
    }
}

pub(super) fn with_json(call: Call, body: &impl Serialize) -> Result<Call, Error> {
    let text = serde_json::to_vec(body).map_err(|error| Error::Setup(error.to_string()))?;
    let json = HeaderValue::from_static("application/json");
    Ok(call.body(json, Payload::Bytes(Bytes::from(text))))
}

/// A key by which the registry knows a request again.
fn idempotency_key() -> Result<HeaderValue, Error> {
    let mut chance = [0; 16];
    getrandom::fill(&mut chance)
        .map_err(|error| Error::Setup(format!("the system gives no random numbers: {error}")))?;
    let mut key = String::new();
    for byte in chance {
        let _ = write!(key, "{byte:02x}");
    }
    HeaderValue::try_from(key).map_err(|error| Error::Setup(error.to_string()))
}

/// A page as it comes.
#[derive(serde::Deserialize)]
pub(super) struct Page {
    pub(super) items: Vec<Box<RawValue>>,
    pub(super) next: Option<String>,
}
