//! Who carries a blob's bytes to its client: this node, the bucket or a CDN by a signed URL, or a proxy in front
//! that has the files. Chosen once the client may have the blob, by size, by network and by repository.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use wharf_core::blobs::ObjectKey;
use wharf_core::delivery::SignedUrl;
use wharf_oci::{Digest, NamePattern, RepositoryName};

use crate::api::reply;
use crate::body::Body;
use crate::origin::IpNet;

/// Who carries blobs where the rules let others do it.
#[derive(Clone, Debug, Default)]
pub enum Carrier {
    /// This node.
    #[default]
    Node,
    /// Whoever stands behind a signed URL.
    SignedUrl {
        /// How long a URL can be used to begin a read.
        life: Duration,
    },
    /// A proxy in front of this node, told by a header to send a file.
    Proxy {
        /// `x-accel-redirect` or `x-sendfile`.
        header: HeaderName,
        /// What stands before an object's key, `/` at its end included.
        prefix: String,
    },
}

/// The rules.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Who carries what no rule keeps here.
    pub carrier: Carrier,
    /// Smaller blobs are sent by this node: a second request would cost more.
    pub least_size: u64,
    /// Clients in these networks get everything from this node, as they reach nobody else.
    pub streamed_networks: Vec<IpNet>,
    /// The blobs of these repositories are sent by this node.
    pub streamed_repositories: Vec<NamePattern>,
}

impl Delivery {
    /// Whether a blob of `size` bytes is carried by others.
    pub(super) fn hands_over(
        &self,
        repository: &RepositoryName,
        client: IpAddr,
        size: u64,
    ) -> bool {
        !matches!(self.carrier, Carrier::Node)
            && size >= self.least_size
            && !self.streamed_networks.iter().any(|network| network.contains(&client))
            && !self.streamed_repositories.iter().any(|pattern| pattern.matches(repository))
    }
}

/// Sends the client to a signed URL. The reply itself is nobody's to keep: the URL ends, and is a right.
pub(super) fn redirect(url: &SignedUrl, digest: &Digest) -> Response<Body> {
    let mut response = reply::empty(StatusCode::TEMPORARY_REDIRECT);
    let headers = response.headers_mut();
    let mut location = reply::value(url.expose());
    location.set_sensitive(true);
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply::set_digest(headers, digest);
    response
}

/// Tells the proxy in front which file to send in place of the empty body. `described` are the headers that the
/// client is to see.
pub(super) fn hand_to_proxy(
    header: &HeaderName,
    prefix: &str,
    key: &ObjectKey,
    described: HeaderMap,
) -> Response<Body> {
    let mut response = reply::empty(StatusCode::OK);
    *response.headers_mut() = described;
    response.headers_mut().insert(header.clone(), reply::value(format!("{prefix}{key}")));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_rule_keeps_a_blob_here() {
        let rules = Delivery {
            carrier: Carrier::SignedUrl { life: Duration::from_secs(60) },
            least_size: 1000,
            streamed_networks: vec!["10.0.0.0/8".parse().unwrap()],
            streamed_repositories: vec!["edge/*".parse().unwrap()],
        };
        let hands_over = |repository: &str, client: &str, size| {
            rules.hands_over(&repository.parse().unwrap(), client.parse().unwrap(), size)
        };
        assert!(hands_over("team/app", "192.0.2.1", 1000));
        assert!(!hands_over("team/app", "192.0.2.1", 999));
        assert!(!hands_over("team/app", "10.1.2.3", 1000));
        assert!(!hands_over("edge/app", "192.0.2.1", 1000));
        let mut alone = rules.clone();
        alone.carrier = Carrier::Node;
        assert!(!alone.hands_over(
            &"team/app".parse().unwrap(),
            "192.0.2.1".parse().unwrap(),
            1 << 30
        ));
    }
}
