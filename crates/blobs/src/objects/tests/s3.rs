//! S3, as SeaweedFS speaks it: the contract, and what only S3 has.

use std::time::Duration;

use wharf_core::blobs::{Blobs, Leftovers};
use wharf_core::delivery::SignedUrls;

use super::{
    Engine, Limits, ObjectBlobs, append, content, holds, key_of, new_prefix, new_upload,
    small_limits,
};

/// The bucket of all tests, which the service makes by itself.
const BUCKET: &str = "wharf-blobs";

pub(super) const ENGINE: Engine = Engine { endpoint: wharf_engines::s3, open };

pub(super) fn environment(endpoint: &str, key: &str, secret: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_REGION", "us-east-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn open(endpoint: &str, prefix: &str, limits: Limits) -> ObjectBlobs {
    let url = format!("s3://{BUCKET}/{prefix}").parse().unwrap();
    let (key, secret) = (wharf_engines::S3_ACCESS_KEY, wharf_engines::S3_SECRET_KEY);
    ObjectBlobs::open(&url, environment(endpoint, key, secret), limits).unwrap()
}

fn new() -> (ObjectBlobs, ()) {
    (ENGINE.node(&new_prefix(), Limits::default()), ())
}

/// The same with small limits: parts begin at 5 MiB, and copies are made in parts.
fn small() -> (ObjectBlobs, ()) {
    (ENGINE.node(&new_prefix(), small_limits()), ())
}

mod contract {
    crate::blobs_contract!(super::new);
}

mod contract_of_listing {
    crate::stored_objects_contract!(super::new);
}

mod contract_with_small_limits {
    crate::blobs_contract!(super::small);
}

#[tokio::test]
async fn a_signed_url_gives_the_object_by_get_alone() {
    let (blobs, ()) = new();
    let bytes = content(100_000, 1);
    let (upload, key) = (new_upload(), key_of(&bytes));
    let staged = append(&blobs, &upload, &Default::default(), &bytes).await;
    blobs.finish(&upload, &staged, &key).await.unwrap();
    let url = blobs.sign_get(&key, Duration::from_secs(60)).await.unwrap();
    let client = reqwest::Client::new();
    let reply = client.get(url.expose()).header("range", "bytes=10-19").send().await.unwrap();
    assert_eq!(reply.status(), 206);
    assert_eq!(reply.headers()["content-type"], "application/octet-stream");
    assert_eq!(reply.bytes().await.unwrap(), bytes.slice(10..20));
    for request in [client.put(url.expose()).body("x"), client.delete(url.expose())] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    let elsewhere = url.expose().replace("/sha256/", "/sha512/");
    assert_eq!(client.get(elsewhere).send().await.unwrap().status(), 403);
    assert!(!format!("{url:?}").contains("Signature"), "{url:?}");
    holds(&blobs, &bytes).await;
}

#[tokio::test]
async fn a_copy_in_parts_that_nobody_ended_is_collected() {
    let (blobs, ()) = small();
    let target = blobs.object_path(&key_of(b"never finished"));
    blobs.service.create_multipart(&target).await.unwrap();
    let algorithm = blobs.path("sha256");
    assert_eq!(blobs.multipart_keys(&algorithm).await.len(), 1);
    blobs.staged_before(Duration::from_secs(3600), 10).await.unwrap();
    assert_eq!(blobs.multipart_keys(&algorithm).await.len(), 1, "a young one may be at work");
    blobs.staged_before(Duration::ZERO, 10).await.unwrap();
    assert!(blobs.multipart_keys(&algorithm).await.is_empty());
}
