//! A request as it is meant, and everything done until its reply is there: credentials, redirects, retries.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use jiff::Timestamp;

use super::outgoing::{empty, outgoing};
use super::retry::{asked_wait, backoff, is_busy};
use super::transport::Activity;
use super::{Client, Origin, Reply, ReplyBody, redirect};
use crate::auth::Challenged;
use crate::{BlobStream, Error, Scope};

/// A request as it is meant.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Payload,
    /// The registry that credentials are for. They go to no other origin.
    pub(crate) registry: Origin,
    /// What a token must allow.
    pub(crate) scopes: Vec<Scope>,
    /// How long the registry may say nothing, where not the usual time.
    pub(crate) patience: Option<Duration>,
    /// Whether it may be sent again after a failure.
    pub(crate) is_worth_retrying: bool,
    /// The `Authorization`, or none, for a server that gives tokens: it is asked with what is known, and no further.
    pub(crate) credentials: Option<Option<HeaderValue>>,
}

/// What is sent along.
pub(crate) enum Payload {
    /// Bytes at hand, which can be sent again.
    Bytes(Bytes),
    /// So many bytes to come, which are sent once: such a request is neither tried again nor redirected.
    Stream(u64, BlobStream),
}

impl Call {
    /// A request without a body.
    pub(crate) fn new(method: Method, uri: Uri, registry: Origin, scopes: Vec<Scope>) -> Self {
        let body = Payload::Bytes(Bytes::new());
        Self {
            method,
            uri,
            headers: HeaderMap::new(),
            body,
            registry,
            scopes,
            patience: None,
            is_worth_retrying: true,
            credentials: None,
        }
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets the body.
    pub(crate) fn body(mut self, media_type: HeaderValue, body: Payload) -> Self {
        self.headers.insert(header::CONTENT_TYPE, media_type);
        self.body = body;
        self
    }

    /// Sets how long the registry may say nothing.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

/// Whether a request without a good reply may have been received, and done, all the same.
fn may_have_arrived(result: &Result<Reply, Error>) -> bool {
    match result {
        Ok(reply) => matches!(reply.status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT),
        Err(error) => matches!(error, Error::Broken { .. } | Error::Silent { .. }),
    }
}

impl Client {
    /// Sends a request until it has a reply that is neither a redirect, a question for credentials, nor "busy".
    ///
    /// # Errors
    /// When there is no such reply within the limits. A reply with an error is a reply.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Reply, Error> {
        let retries = self.options().retries;
        let mut failures = 0;
        let mut may_be_done = false;
        loop {
            let can_repeat = call.is_worth_retrying && matches!(call.body, Payload::Bytes(_));
            let mut result = self.authorized(&mut call).await;
            if let Ok(reply) = &mut result {
                reply.may_be_done_before = may_be_done;
            }
            may_be_done |= may_have_arrived(&result);
            failures += 1;
            let last = !can_repeat || failures >= retries.attempts;
            let wait = match &result {
                Err(error) if error.is_transient() && !last => backoff(&retries, failures),
                Ok(reply) if is_busy(reply.status) && !last => {
                    match asked_wait(reply, Timestamp::now()) {
                        Some(wait) if wait > retries.longest_asked_wait => return result,
                        Some(wait) => wait.max(backoff(&retries, failures)),
                        None => backoff(&retries, failures),
                    }
                }
                _ => return result,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request once or, where credentials are asked for, twice.
    async fn authorized(&self, call: &mut Call) -> Result<Reply, Error> {
        if let Some(credentials) = call.credentials.clone() {
            return self.redirected(call, credentials.as_ref()).await;
        }
        let authenticator = self.authenticator();
        let sent = authenticator.authorization(self, &call.registry, &call.scopes).await?;
        let mut reply = self.redirected(call, sent.as_ref()).await?;
        let asks = reply.status == StatusCode::UNAUTHORIZED
            && Origin::of(&reply.uri).as_ref() == Some(&call.registry);
        if !asks {
            return Ok(reply);
        }
        let challenged = authenticator
            .challenged(&call.registry, &reply.headers, &mut call.scopes, sent.as_ref())
            .await?;
        if challenged == Challenged::TryAgain {
            // A stream is gone with the first request; the next one will know better.
            if matches!(call.body, Payload::Stream(..)) {
                return Ok(reply);
            }
            let sent = authenticator.authorization(self, &call.registry, &call.scopes).await?;
            reply = self.redirected(call, sent.as_ref()).await?;
            if reply.status != StatusCode::UNAUTHORIZED {
                return Ok(reply);
            }
        }
        let host = call.registry.to_string();
        let had_credentials = authenticator.knows(&call.registry).await?;
        let reason = reply.refusal().await.to_string();
        Err(Error::Unauthorized { host, had_credentials, reason })
    }

    /// Sends a request and follows redirects, without credentials to other origins.
    async fn redirected(
        &self,
        call: &mut Call,
        authorization: Option<&HeaderValue>,
    ) -> Result<Reply, Error> {
        let path = call.uri.path().to_owned();
        let (mut method, mut uri) = (call.method.clone(), call.uri.clone());
        let mut followed = 0;
        loop {
            let same = Origin::of(&uri).as_ref() == Some(&call.registry);
            let authorization = authorization.filter(|_| same);
            let is_stream = matches!(call.body, Payload::Stream(..));
            let mut reply = self.send_one(call, &method, &uri, authorization).await?;
            reply.path.clone_from(&path);
            self.hear_warnings(&reply);
            if is_stream {
                return Ok(reply);
            }
            match redirect::target(&reply, &method)? {
                None => return Ok(reply),
                Some(_) if followed == self.options().max_redirects => {
                    return Err(reply.unexpected("after too many redirects"));
                }
                Some(next) => (method, uri) = next,
            }
            followed += 1;
        }
    }

    async fn send_one(
        &self,
        call: &mut Call,
        method: &Method,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
    ) -> Result<Reply, Error> {
        let activity = Activity::new();
        let patience = self.options().read_timeout;
        let (length, body) = outgoing(&mut call.body, &activity);
        let has_body = *method != Method::GET && *method != Method::HEAD;
        let body = if has_body { body } else { empty() };
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.clone_from(&call.headers);
        if let Ok(agent) = HeaderValue::from_str(&self.options().user_agent) {
            headers.insert(header::USER_AGENT, agent);
        }
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if has_body {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let wait = call.patience.unwrap_or(patience);
        let (head, incoming) = self.transport().send(request, &activity, wait).await?.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            uri: uri.clone(),
            body: ReplyBody::new(incoming, uri, patience),
            method: method.clone(),
            path: uri.path().to_owned(),
            may_be_done_before: false,
        })
    }
}
