//! A CDN before the store: it serves the store's objects to whoever holds a URL that we signed.
//!
//! The object `key` is at `base/key`. The CDN checks the signature and its end itself, and must leave the query
//! out of the key under which it caches. So it may keep public and private objects alike, for ever: content
//! never changes under its digest, and nobody reads it without a fresh signature.

mod cloudfront;
mod hmac;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::task::spawn_blocking;
use wharf_core::StoreError;
use wharf_core::blobs::ObjectKey;
use wharf_core::delivery::{SignedUrl, SignedUrls};

pub use cloudfront::CloudFrontKey;
pub use hmac::HmacKey;

/// Where a CDN serves the store's objects: `https://host/path`, without a query, and no `/` at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdnUrl {
    text: String,
    path: usize,
}

/// A text that is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the URL of a CDN: http or https, a host, and perhaps a path of plain letters")]
pub struct NoCdnUrl;

impl FromStr for CdnUrl {
    type Err = NoCdnUrl;

    fn from_str(text: &str) -> Result<Self, NoCdnUrl> {
        let text = text.trim_end_matches('/');
        let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(NoCdnUrl)?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = |text: &str, also: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.as_bytes().contains(&byte))
        };
        if host.is_empty() || !plain(host, ".-:[]") || !plain(path, "/-._~") {
            return Err(NoCdnUrl);
        }
        Ok(Self { path: text.len() - path.len(), text: text.to_owned() })
    }
}

impl fmt::Display for CdnUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// With what the CDN knows our signatures.
#[derive(Clone, Debug)]
pub enum CdnKey {
    /// CloudFront's: RSA over a canned policy.
    CloudFront(CloudFrontKey),
    /// A shared secret: HMAC-SHA-256 over path and end.
    Hmac(HmacKey),
}

/// Why a key cannot be used. It does not repeat the key.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the CDN's key cannot be used: {0}")]
pub struct BadCdnKey(String);

/// A CDN.
pub struct Cdn {
    url: CdnUrl,
    key: Arc<CdnKey>,
}

impl Cdn {
    /// A CDN at `url` that knows `key`.
    #[must_use]
    pub fn new(url: CdnUrl, key: CdnKey) -> Self {
        Self { url, key: Arc::new(key) }
    }
}

#[async_trait]
impl SignedUrls for Cdn {
    async fn sign_get(&self, key: &ObjectKey, life: Duration) -> Result<SignedUrl, StoreError> {
        let url = format!("{}/{key}", self.url);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = (now + life).as_secs();
        let (keys, path) = (Arc::clone(&self.key), self.url.path);
        // RSA takes about a millisecond of a core.
        let signing = spawn_blocking(move || match &*keys {
            CdnKey::CloudFront(key) => key.sign(&url, expires),
            CdnKey::Hmac(key) => Ok(key.sign(&url, path, expires)),
        });
        let signed = signing.await.unwrap_or_else(|error| Err(error.to_string()));
        let signed = signed.map_err(|reason| {
            StoreError::Unavailable(format!("a URL of the CDN cannot be signed: {reason}"))
        })?;
        Ok(SignedUrl::new(signed))
    }
}

/// The name of a key: up to 64 letters, digits, `-` and `_`.
fn key_id(id: &str) -> Result<String, BadCdnKey> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        return Err(BadCdnKey(format!(
            "its name {id:?} is not of up to 64 letters, digits, - and _"
        )));
    }
    Ok(id.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wharf_oci::{Algorithm, Hasher};

    use super::*;

    #[tokio::test]
    async fn a_url_names_the_object_and_its_end() {
        let url = "https://cdn.example/w/".parse().unwrap();
        let cdn = Cdn::new(url, CdnKey::Hmac(HmacKey::new("a", &[b'x'; 32]).unwrap()));
        let key = ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, b"layer"));
        let signed = cdn.sign_get(&key, Duration::from_secs(300)).await.unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let query = signed.expose().strip_prefix(&format!("https://cdn.example/w/{key}?expires="));
        let expires: u64 = query.unwrap().split('&').next().unwrap().parse().unwrap();
        assert!((now + 290..=now + 300).contains(&expires), "{expires} at {now}");
        assert_eq!(format!("{signed:?}"), format!("https://cdn.example/w/{key}?…"));
    }

    #[test]
    fn what_cannot_carry_a_key_is_no_url_of_a_cdn() {
        for text in [
            "",
            "cdn.example",
            "ftp://h",
            "https://",
            "https://u:p@h",
            "https://h/?a",
            "https://h/a b",
        ] {
            assert_eq!(text.parse::<CdnUrl>(), Err(NoCdnUrl), "{text:?}");
        }
        for text in ["https://cdn.example", "http://127.0.0.1:8080/a-b", "http://[::1]:80"] {
            assert_eq!(text.parse::<CdnUrl>().unwrap().to_string(), text);
        }
    }
}
