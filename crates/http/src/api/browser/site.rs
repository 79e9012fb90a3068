//! Where this registry is to a browser: over TLS, or in the clear on one machine; and whether a request comes from there.

use std::net::IpAddr;

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName};

/// What browsers say of where a request comes from (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// An origin, as browsers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `scheme://host[:port]`, without a port that goes without saying.
    origin: String,
}

impl Site {
    /// The site of a URL that begins with `scheme://host`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let host = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let default = if scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(default).unwrap_or(&host);
        Self { origin: format!("{scheme}://{host}") }
    }

    fn is_tls(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// Whether secrets may travel: over TLS, or where nobody is in between.
    pub(super) fn is_safe(&self) -> bool {
        let (_, host) = self.origin.split_once("://").unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(literal) => literal.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.is_tls() || is_loopback || name == "localhost"
    }

    /// The name of a cookie. Over TLS it is one that no other host of the domain can set, and nothing but TLS.
    pub(super) fn cookie(&self, name: &str) -> String {
        if self.is_tls() { format!("__Host-wharf-{name}") } else { format!("wharf-{name}") }
    }

    /// A cookie to be set: until the browser ends, or for some seconds.
    pub(super) fn set_cookie(&self, name: &str, value: &str, seconds: Option<u32>) -> String {
        let secure = if self.is_tls() { "; Secure" } else { "" };
        let life = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}", self.cookie(name))
    }

    /// Whether a request that changes something comes from a page of ours, as far as the browser says. Old ones say
    /// nothing: that is what the token is for.
    pub(super) fn asks_itself(&self, headers: &HeaderMap) -> bool {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let same_origin = text(ORIGIN).is_none_or(|origin| origin == self.origin);
        let same_site =
            text(SEC_FETCH_SITE).is_none_or(|from| matches!(from, "same-origin" | "none"));
        same_origin && same_site
    }

    /// The origin.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}
