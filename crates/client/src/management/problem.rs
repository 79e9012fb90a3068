//! What the API says when it does not do what it was asked for (RFC 9457, "Problem Details").

use std::fmt;

use http::StatusCode;
use serde::Deserialize;

use crate::error::printable;

/// A problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Host and port.
    pub host: String,
    /// The status.
    pub status: StatusCode,
    /// What was wrong, for people.
    pub detail: String,
    /// The field of the request that was wrong, where it was one.
    pub field: Option<String>,
    /// What the registry's log calls the request.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    title: String,
    detail: Option<String>,
    field: Option<String>,
    request_id: Option<String>,
}

impl Problem {
    /// The problem in an answer; `None` where it holds none.
    pub(super) fn read(host: String, status: StatusCode, body: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(body).ok()?;
        let detail = document.detail.filter(|text| !text.is_empty()).unwrap_or(document.title);
        let cut = |text: Option<String>| text.map(|text| printable(&text));
        let (field, request_id) = (cut(document.field), cut(document.request_id));
        Some(Self { host, status, detail: printable(&detail), field, request_id })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, status, detail, .. } = self;
        write!(formatter, "{host} answered {status}")?;
        if !detail.is_empty() {
            write!(formatter, ": {detail}")?;
        }
        if let Some(field) = self.field.as_ref().filter(|field| !detail.contains(field.as_str())) {
            write!(formatter, " ({field})")?;
        }
        // The user can do nothing about these; who reads the log can find them.
        match &self.request_id {
            Some(id) if status.is_server_error() => write!(formatter, "; request {id}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
