//! Requests to S3 that the library does not make: each a signed URL, asked again while the store is away.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use wharf_core::StoreError;
use wharf_core::blobs::StageError;

use super::S3;
use super::failure::{late, reply_error, store_error};

/// How long a signed request is good for: no longer than it may take.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// How often a request is made.
const TRIES: u32 = 4;

/// A request.
pub(super) struct Request<'a> {
    pub(super) doing: &'a str,
    pub(super) method: Method,
    /// The object; the bucket itself where it is empty.
    pub(super) path: &'a Path,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: String,
    /// How long one try may take.
    pub(super) limit: Duration,
}

/// What came of a request.
pub(super) enum Reply {
    /// The document of a reply that says success.
    Done(String),
    /// What the request names is not there.
    Missing,
    /// There is something where nothing should be.
    Taken,
}

impl Reply {
    /// The document, where there was nothing to find missing or in the way.
    pub(super) fn document(self, doing: &str) -> Result<String, StageError> {
        match self {
            Self::Done(document) => Ok(document),
            Self::Missing => Err(StageError::NotFound),
            Self::Taken => Err(StoreError::Unavailable(format!(
                "the object store: {doing}: refused as a conflict"
            ))
            .into()),
        }
    }
}

impl S3 {
    /// Asks. A reply is a success only if its document has `proof`: S3 sends the status of a long request before its
    /// work is done.
    pub(super) async fn ask(&self, request: Request<'_>, proof: &str) -> Result<Reply, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let fault = match self.ask_once(&request).await {
                Ok((status, text)) if status.is_success() && text.contains(proof) => {
                    return Ok(Reply::Done(text));
                }
                Ok((status, text)) => {
                    let (fault, missing) = reply_error(request.doing, status, &text);
                    match status {
                        _ if missing => return Ok(Reply::Missing),
                        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => {
                            return Ok(Reply::Taken);
                        }
                        _ if status.is_client_error() && !may_pass(status) => return Err(fault),
                        _ => fault,
                    }
                }
                Err(fault) => fault,
            };
            if tries == TRIES {
                return Err(fault);
            }
            tokio::time::sleep(Duration::from_millis(100 << tries)).await;
        }
    }

    async fn ask_once(&self, request: &Request<'_>) -> Result<(StatusCode, String), StoreError> {
        let Request { doing, method, path, query, headers, body, limit } = request;
        let broken = |reason: String| {
            StoreError::Unavailable(format!("the object store: {doing}: {reason}"))
        };
        let mut options = SignedUrlOptions::new().with_query(query.clone());
        let mut asked = http::HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|error| broken(error.to_string()))?;
            options = options.with_signed_header(name.clone(), value.clone());
            asked.insert(name.clone(), value);
        }
        let asking = async {
            let url = self.store.signed_url_opts(method.clone(), path, SIGNED_FOR, &options).await;
            let url = url.map_err(|error| store_error(doing, &error))?;
            let asked = self.client.request(method.clone(), url).headers(asked).body(body.clone());
            let answer = async {
                let reply = asked.send().await?;
                Ok::<_, reqwest::Error>((reply.status(), reply.text().await?))
            };
            // Its text would hold the signed URL.
            answer.await.map_err(|error| broken(error.without_url().to_string()))
        };
        tokio::time::timeout(*limit, asking).await.map_err(|_| late(doing))?
    }
}

/// Whether a refusal may pass by itself.
fn may_pass(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// The text of the first element of this name, as it is written.
pub(super) fn element(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&apos;", "'");
    Some(plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_and_its_text_is_plain() {
        let document = "<R><Key>a&amp;quot;b</Key><ETag>&quot;x&#34;</ETag><Key>2</Key></R>";
        assert_eq!(element(document, "Key").as_deref(), Some("a&quot;b"));
        assert_eq!(element(document, "ETag").as_deref(), Some("\"x\""));
        assert_eq!(element(document, "UploadId"), None);
        assert_eq!(element("<Key>1", "Key"), None);
    }
}
