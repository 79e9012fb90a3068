//! Request ids: a random prefix a process, then a count.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

/// Bytes of an id as text.
const LENGTH: usize = 24;

/// Half of the id's bits: prefix and count have 48 each.
const HALF: u64 = (1 << 48) - 1;

/// Makes ids that differ within a process, and in all likelihood between processes.
/// They are no secret and can be guessed.
#[derive(Debug)]
pub struct RequestIds {
    prefix: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Ids under a prefix of their own.
    pub fn new() -> Self {
        // The standard library's own source of randomness, sufficient for what is no secret.
        Self { prefix: RandomState::new().hash_one(0) & HALF, count: AtomicU64::new(0) }
    }

    /// An id that no call returned before.
    pub fn next_id(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed) & HALF;
        RequestId((u128::from(self.prefix) << 48) | u128::from(count))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

/// The id of one request: 24 digits of lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// The id as text.
    pub fn to_text(self) -> [u8; LENGTH] {
        std::array::from_fn(|digit| {
            let nibble = (self.0 >> (4 * (LENGTH - 1 - digit))) & 0xf;
            b"0123456789abcdef"[nibble as usize]
        })
    }

    /// The value of `X-Request-Id`.
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.to_text()).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.to_text()).unwrap_or("-"))
    }
}
