//! Where clients are, and where they see us, when proxies stand between.
//!
//! Headers about forwarding are believed only from peers in `trusted_proxies`, and there only
//! those parts that the trusted proxies themselves wrote.

mod external_url;
mod forwarded;

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;

pub use external_url::{ExternalUrl, ExternalUrlError};
pub use ipnet::IpNet;

use forwarded::Forwarding;

/// How this server is reached from outside. The default trusts no proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// What clients see, whatever proxies say.
    pub external_url: Option<ExternalUrl>,
    /// Peers whose word about the client is taken.
    pub trusted_proxies: Vec<IpNet>,
}

impl Origin {
    /// What a `Location` begins with, before its path, which begins with `/`: nothing (relative
    /// to what the client asked for), or `scheme://host[:port][/prefix]`, or `/prefix`.
    ///
    /// Values of a trusted proxy that are no clean scheme, host, port or prefix make it nothing.
    pub fn location_base(&self, headers: &HeaderMap, peer: IpAddr) -> Cow<'_, str> {
        if let Some(url) = &self.external_url {
            return Cow::Borrowed(url.as_str());
        }
        match self.forwarding(headers, peer) {
            Some(forwarding) => {
                Cow::Owned(forwarding.base(|hop| self.trusts(hop)).unwrap_or_default())
            }
            None => Cow::Borrowed(""),
        }
    }

    /// The address nearest to the client that a trusted proxy vouches for; `peer` without one.
    pub fn client_address(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let Some(forwarding) = self.forwarding(headers, peer) else { return peer.to_canonical() };
        let client = forwarding.client(|hop| self.trusts(hop));
        client.unwrap_or_else(|| peer.to_canonical())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// What the headers say, if `peer` may say it.
    fn forwarding(&self, headers: &HeaderMap, peer: IpAddr) -> Option<Forwarding> {
        if self.trusted_proxies.is_empty() || !self.trusts(peer) {
            return None;
        }
        Forwarding::read(headers)
    }
}

#[cfg(test)]
#[path = "origin/tests.rs"]
mod tests;
