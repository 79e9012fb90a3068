//! How much of what is scarce one client may hold, so that none who sends slowly keeps the others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_core::limits::client_of;

/// How many of some places each client holds. A client is an address, or an IPv6 network of 64 bits.
pub(super) struct Shares {
    most: usize,
    /// Only clients that hold something.
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// A place that counts as the client's until it is dropped.
pub(super) struct Share {
    shares: Arc<Shares>,
    client: IpAddr,
}

impl Shares {
    /// Each client may hold half of so many places, and one at least.
    pub(super) fn of(places: usize) -> Arc<Self> {
        Arc::new(Self { most: places.div_ceil(2).max(1), held: Mutex::default() })
    }

    /// One more for this client; none when it holds as many as it may.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Share> {
        let client = client_of(client);
        let mut held = self.held();
        let count = held.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { shares: Arc::clone(self), client })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        match held.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(held.remove(&self.client)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_holds_half_and_leaves_the_rest_to_others() {
        let shares = Shares::of(4);
        let one = address("192.0.2.1");
        let held = [shares.take(one).unwrap(), shares.take(one).unwrap()];
        assert!(shares.take(one).is_none());
        assert!(shares.take(address("::ffff:192.0.2.1")).is_none());
        assert!(shares.take(address("192.0.2.2")).is_some());
        drop(held);
        assert!(shares.take(one).is_some());
        assert!(shares.held().is_empty(), "nothing is remembered of clients that are gone");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let shares = Shares::of(1);
        let _held = shares.take(address("2001:db8:0:1::1")).unwrap();
        assert!(shares.take(address("2001:db8:0:1:ffff::2")).is_none());
        assert!(shares.take(address("2001:db8:0:2::1")).is_some());
    }
}
