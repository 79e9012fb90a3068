//! A value as it lies in Redis: under which version it was put, and a sum over all of it and its name.
//!
//! `[version: 8][sum: 16][value]`, the version big-endian.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::{Buf, Bytes};
use redis::{RedisResult, Script};
use wharf_oci::{Algorithm, Hasher};

use super::checks::VERSION_LIFE;

/// The bytes of the sum: it finds what was damaged on its way, and answers that are another question's.
const SUM: usize = 16;

/// The bytes before the value.
const HEADER: usize = 8 + SUM;

/// Keeps a value, and its version for longer, unless the repository has another version by now.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local kept = redis.call('GET', KEYS[1])
         if kept and kept:match('^%d+') == ARGV[1] then
             redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
             redis.call('EXPIRE', KEYS[1], ARGV[4])
         end",
    )
});

/// Puts a value under the name and version. Late or lost, it does no harm: under a version that has passed it is
/// never served.
pub(super) async fn put(
    mut connection: redis::aio::ConnectionManager,
    version_key: String,
    name: String,
    version: u64,
    value: &[u8],
    life: Duration,
) -> RedisResult<()> {
    let record = encode(&name, version, value);
    let milliseconds = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
    let mut put = PUT.key(version_key);
    put.key(name).arg(version).arg(record).arg(milliseconds);
    put.arg(VERSION_LIFE.max(life * 2).as_secs()).invoke_async(&mut connection).await
}

fn encode(name: &str, version: u64, value: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER + value.len());
    record.extend(version.to_be_bytes());
    record.extend(sum(name, version, value));
    record.extend(value);
    record
}

/// The value, if it is whole and was put under that name and version.
pub(super) fn decode(name: &str, version: u64, record: Vec<u8>) -> Option<Bytes> {
    let mut record = Bytes::from(record);
    if record.len() < HEADER || record.get_u64() != version {
        return None;
    }
    let stated = record.split_to(SUM);
    (stated[..] == sum(name, version, &record)).then_some(record)
}

fn sum(name: &str, version: u64, value: &[u8]) -> [u8; SUM] {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&(name.len() as u64).to_be_bytes());
    hasher.update(name.as_bytes());
    hasher.update(&version.to_be_bytes());
    hasher.update(value);
    let mut sum = [0; SUM];
    // Behind the algorithm's code.
    sum.copy_from_slice(&hasher.finish().to_binary()[1..=SUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_cut_or_anothers_is_no_value() {
        let record = encode("name", 7, b"value");
        assert_eq!(decode("name", 7, record.clone()).as_deref(), Some(&b"value"[..]));
        assert_eq!(decode("other", 7, record.clone()), None);
        assert_eq!(decode("name", 8, record.clone()), None);
        for place in 0..record.len() {
            let mut damaged = record.clone();
            damaged[place] ^= 1;
            assert_eq!(decode("name", 7, damaged), None, "byte {place}");
            assert_eq!(decode("name", 7, record[..place].to_vec()), None, "{place} bytes");
        }
    }
}
