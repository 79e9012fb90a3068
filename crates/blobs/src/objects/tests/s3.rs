//! S3, as SeaweedFS speaks it: the contract, and what only S3 has.

use std::sync::atomic::{AtomicU32, Ordering};

use super::super::{Limits, ObjectBlobs};

/// The bucket of all tests, made once.
const BUCKET: &str = "wharf-blobs";

pub(super) fn environment(key: &str, secret: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", wharf_engines::s3().as_str()),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_REGION", "us-east-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// A prefix that no other test has.
pub(super) fn new_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(super) fn at(prefix: &str, limits: Limits) -> ObjectBlobs {
    let url = format!("s3://{BUCKET}/{prefix}").parse().unwrap();
    let keys = environment(wharf_engines::S3_ACCESS_KEY, wharf_engines::S3_SECRET_KEY);
    ObjectBlobs::open(&url, keys, limits).unwrap()
}

fn new() -> (ObjectBlobs, ()) {
    (at(&new_prefix(), Limits::default()), ())
}

/// The same with small limits: parts begin at 5 MiB, and copies are made in parts.
fn small() -> (ObjectBlobs, ()) {
    let limits = Limits {
        part_size: 5 << 20,
        single_copy: 6 << 20,
        copy_part: 5 << 20,
        ..Limits::default()
    };
    (at(&new_prefix(), limits), ())
}

mod contract {
    crate::blobs_contract!(super::new);
}

mod contract_with_small_limits {
    crate::blobs_contract!(super::small);
}
