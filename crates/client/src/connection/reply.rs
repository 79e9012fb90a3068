//! A reply: its head, and a body that is read with limits of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::transport::{host_of, innermost};
use crate::{ApiError, Error, Refusal};

/// The most bytes of an error's body that are read.
const MAX_ERROR_BODY: usize = 64 << 10;

/// A registry's reply.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Where it came from, redirects followed.
    pub(crate) uri: Uri,
    pub(crate) body: ReplyBody,
    pub(super) method: Method,
    /// The path first asked, for messages.
    pub(super) path: String,
    /// Whether an earlier try, whose reply was lost, may have done what was asked.
    pub(crate) may_be_done_before: bool,
}

/// A reply's body.
pub(crate) struct ReplyBody {
    incoming: Incoming,
    host: String,
    patience: Duration,
}

impl ReplyBody {
    pub(super) fn new(incoming: Incoming, uri: &Uri, patience: Duration) -> Self {
        Self { incoming, host: host_of(uri), patience }
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(self.patience, self.incoming.frame())
                .await
                .map_err(|_| Error::Silent { host: self.host.clone(), after: self.patience })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => {
                    return Err(Error::Broken {
                        host: self.host.clone(),
                        reason: innermost(&error),
                    });
                }
            }
        }
    }
}

impl Reply {
    /// The whole body, called `what` in messages, of at most `limit` bytes.
    pub(crate) async fn bytes(mut self, what: &str, limit: usize) -> Result<Bytes, Error> {
        let too_large = || Error::TooLarge { what: what.to_owned(), limit: limit as u64 };
        if self.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(more) = self.body.next().await? {
            if bytes.len() + more.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&more);
        }
        Ok(bytes.freeze())
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How many bytes the body has, where the reply says so.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header(header::CONTENT_LENGTH.as_str())?.parse().ok()
    }

    /// The address in `Location`.
    pub(crate) fn location(&self) -> Result<Option<Uri>, Error> {
        self.header(header::LOCATION.as_str())
            .map(|text| super::resolve(&self.uri, text))
            .transpose()
    }

    /// The host for messages.
    pub(crate) fn host(&self) -> String {
        host_of(&self.uri)
    }

    /// What was asked, and of what, for messages.
    pub(crate) fn asked(&self) -> (Method, String) {
        (self.method.clone(), self.path.clone())
    }

    /// The error that this reply is.
    pub(crate) async fn refusal(mut self) -> Error {
        #[derive(serde::Deserialize)]
        struct Errors {
            errors: Vec<ApiError>,
        }
        let mut bytes = BytesMut::new();
        while bytes.len() < MAX_ERROR_BODY {
            match self.body.next().await {
                Ok(Some(more)) => bytes.extend_from_slice(&more),
                Ok(None) | Err(_) => break,
            }
        }
        let errors =
            serde_json::from_slice(&bytes).map_or_else(|_| Vec::new(), |e: Errors| e.errors);
        Error::Refused(Box::new(Refusal {
            host: self.host(),
            method: self.method,
            path: self.path,
            status: self.status,
            errors,
        }))
    }

    /// That the registry answered what the specification does not foresee.
    pub(crate) fn unexpected(&self, reason: &str) -> Error {
        let Self { method, path, status, .. } = self;
        Error::protocol(self.host(), format!("{status} to {method} {path} {reason}"))
    }
}
