//! What issuers publish and answer, fetched within limits: over TLS, and in the clear from this machine alone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use wharf_core::authority::Secret;

/// The longest document, in bytes.
const LONGEST: usize = 256 << 10;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoDocument(pub String);

/// Fetches documents.
#[async_trait]
pub trait Documents: Send + Sync + 'static {
    /// The document at a URL.
    ///
    /// # Errors
    /// [`NoDocument`].
    async fn fetch(&self, url: &str) -> Result<Bytes, NoDocument>;
}

/// A request that somebody must be to make: with a secret in it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where.
    pub url: String,
    /// The `Authorization` header, where there is one.
    pub authorization: Option<Secret>,
    /// A form to post; without one it is a `GET`.
    pub form: Option<Secret>,
}

/// Asks end-points of an issuer.
#[async_trait]
pub trait Endpoints: Send + Sync + 'static {
    /// The status and the body of an answer.
    ///
    /// # Errors
    /// [`NoDocument`] where there is none.
    async fn ask(&self, asked: Asked) -> Result<(StatusCode, Bytes), NoDocument>;
}

/// Whether documents of keys may be fetched from a URL: over TLS, or in the clear where nobody is in between.
#[must_use]
pub fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") => !host.is_empty() && !url.contains(['@', '#']),
        Some("http") => matches!(host, "127.0.0.1" | "[::1]") && !url.contains(['@', '#']),
        _ => false,
    }
}

/// Fetches over HTTP. Redirects are not followed: they would lead to where nobody said.
pub struct HttpDocuments(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpDocuments {
    /// One that trusts the certificates of the system.
    ///
    /// # Errors
    /// [`NoDocument`] where TLS cannot be set up.
    pub fn new() -> Result<Self, NoDocument> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| NoDocument(error.to_string()))?.with_native_roots();
        let tls = tls.map_err(|error| NoDocument(error.to_string()))?.with_no_client_auth();
        Ok(Self::with_tls(tls))
    }

    /// One that trusts what `tls` says.
    #[must_use]
    pub fn with_tls(tls: ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = connector.enable_http1().wrap_connector(tcp);
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
    }

    async fn answer(&self, asked: &Asked) -> Result<(StatusCode, Bytes), NoDocument> {
        let url = &asked.url;
        if !is_safe(url) {
            return Err(NoDocument(format!("{url} is neither https nor of this machine")));
        }
        let answered = tokio::time::timeout(PATIENCE, self.whole(asked)).await;
        answered.map_err(|_| NoDocument(format!("{url} does not answer within {PATIENCE:?}")))?
    }

    async fn whole(&self, asked: &Asked) -> Result<(StatusCode, Bytes), NoDocument> {
        let url = &asked.url;
        let mut request = match &asked.form {
            Some(_) => Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
            None => Request::get(url),
        };
        request = request.header(ACCEPT, "application/json");
        if let Some(authorization) = &asked.authorization {
            let value = HeaderValue::try_from(authorization.expose());
            // The error would not say more, and the text is a secret.
            let mut value = value.map_err(|_| NoDocument("a secret is no header".into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let form = asked.form.as_ref().map(|form| Bytes::from(form.expose().to_owned()));
        let request = request.body(Full::new(form.unwrap_or_default()));
        let request = request.map_err(|error| NoDocument(error.to_string()))?;
        let reply = self.0.request(request).await;
        let reply = reply.map_err(|error| NoDocument(format!("{url}: {error}")))?;
        let status = reply.status();
        let body = Limited::new(reply.into_body(), LONGEST).collect().await;
        Ok((status, body.map_err(|error| NoDocument(format!("{url}: {error}")))?.to_bytes()))
    }
}

#[async_trait]
impl Documents for HttpDocuments {
    async fn fetch(&self, url: &str) -> Result<Bytes, NoDocument> {
        let asked = Asked { url: url.to_owned(), authorization: None, form: None };
        match self.answer(&asked).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(NoDocument(format!("{url} answers {status}"))),
        }
    }
}

#[async_trait]
impl Endpoints for HttpDocuments {
    async fn ask(&self, asked: Asked) -> Result<(StatusCode, Bytes), NoDocument> {
        self.answer(&asked).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for url in ["https://ci.example/keys", "http://127.0.0.1:8080/x", "http://[::1]/x"] {
            assert!(is_safe(url), "{url}");
        }
        for url in [
            "http://ci.example/keys",
            "http://127.0.0.1.example/x",
            "http://127.0.0.1@ci.example/x",
            "https://user@ci.example/x",
            "http://localhost/x",
            "file:///etc/passwd",
            "/keys",
            "",
        ] {
            assert!(!is_safe(url), "{url}");
        }
    }
}
