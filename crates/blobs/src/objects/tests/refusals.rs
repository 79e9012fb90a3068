//! Settings that are wrong, and what is said of them at a start.

use wharf_core::StoreError;
use wharf_core::blobs::Blobs;

use super::proxy::{Act, Proxy};
use super::{Engine, Limits, ObjectBlobs, azure, new_prefix, on_each_service, s3, small_limits};

on_each_service! {
    a_store_that_works_allows_everything
    a_service_that_is_not_there_is_named
    a_refused_request_is_named
}

/// A secret that is the right one nowhere.
const WRONG: &str = "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldA==";

async fn told(blobs: &ObjectBlobs) -> String {
    let fault = blobs.check_rights().await.unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable(_)), "{fault}");
    let text = fault.to_string();
    assert!(!text.contains(WRONG) && !text.contains(wharf_engines::AZURE_KEY), "{text}");
    text
}

fn at_s3(bucket: &str, key: &str, secret: &str) -> ObjectBlobs {
    let url = format!("s3://{bucket}/{}", new_prefix()).parse().unwrap();
    let environment = s3::environment(&wharf_engines::s3(), key, secret);
    ObjectBlobs::open(&url, environment, Limits::default()).unwrap()
}

fn at_azure(container: &str, key: &str) -> ObjectBlobs {
    let url = format!("az://{container}/{}", new_prefix()).parse().unwrap();
    let environment = azure::environment(&wharf_engines::azure(), key);
    ObjectBlobs::open(&url, environment, Limits::default()).unwrap()
}

async fn a_store_that_works_allows_everything(engine: Engine) {
    let blobs = engine.node(&new_prefix(), Limits::default());
    blobs.check_rights().await.unwrap();
    blobs.check().await.unwrap();
}

async fn a_service_that_is_not_there_is_named(engine: Engine) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/x", listener.local_addr().unwrap());
    drop(listener);
    let limits = Limits { request: std::time::Duration::from_secs(3), ..Limits::default() };
    let begin = tokio::time::Instant::now();
    let text = told(&(engine.open)(&endpoint, &new_prefix(), limits)).await;
    assert!(text.contains("writing an object"), "{text}");
    assert!(begin.elapsed().as_secs() < 8, "{:?}", begin.elapsed());
}

/// As clouds refuse what the engines here do not.
async fn a_refused_request_is_named(engine: Engine) {
    let proxy = Proxy::before(&(engine.endpoint)()).await;
    let blobs = (engine.open)(proxy.endpoint(), &new_prefix(), small_limits());
    for (status, code, says) in [
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "AccessDenied", "grant it reading, writing, deleting and listing"),
        (400, "ExpiredToken", "renew"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (404, "NoSuchBucket", "create it"),
    ] {
        proxy.script((0, 1), Act::Refuse(status, code), |call| call.method == http::Method::PUT);
        let text = told(&blobs).await;
        assert!(text.contains("writing an object") && text.contains(says), "{code}: {text}");
        proxy.forget();
    }
}

#[tokio::test]
async fn an_unknown_key_is_named() {
    let text = told(&at_s3("wharf-blobs", "nobody", WRONG)).await;
    assert!(text.contains("the store does not know this key"), "{text}");
}

#[tokio::test]
async fn a_wrong_secret_is_named() {
    let text = told(&at_s3("wharf-blobs", wharf_engines::S3_ACCESS_KEY, WRONG)).await;
    assert!(text.contains("the secret does not belong to this key"), "{text}");
    let text = told(&at_azure("wharf-blobs", WRONG)).await;
    assert!(text.contains("the store does not accept the credentials"), "{text}");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let (key, secret) = (wharf_engines::S3_READER_ACCESS_KEY, wharf_engines::S3_SECRET_KEY);
    let text = told(&at_s3("wharf-blobs", key, secret)).await;
    assert!(text.contains("writing an object") && text.contains("grant it"), "{text}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let text = told(&at_azure("no-such-container", wharf_engines::AZURE_KEY)).await;
    assert!(text.contains("there is no such bucket"), "{text}");
}

#[tokio::test]
async fn half_a_key_is_refused() {
    let mut environment = s3::environment("http://127.0.0.1:1", "key", "secret");
    environment.retain(|(name, _)| name != "AWS_SECRET_ACCESS_KEY");
    let url = "s3://wharf-blobs".parse().unwrap();
    let refused = ObjectBlobs::open(&url, environment, Limits::default()).map(drop).unwrap_err();
    assert!(refused.to_string().contains("s3://wharf-blobs"), "{refused}");
}
