//! Azure Blob Storage, as Azurite speaks it: the contract, and what only Azure has.

use std::sync::OnceLock;
use std::time::Duration;

use http::Method;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use wharf_core::blobs::Blobs;
use wharf_core::delivery::SignedUrls;
use wharf_engines::{AZURE_ACCOUNT, AZURE_KEY};

use super::{
    Engine, Limits, ObjectBlobs, append, content, key_of, new_prefix, new_upload, small_limits,
};

/// The container of all tests, made once.
const CONTAINER: &str = "wharf-blobs";

pub(super) const ENGINE: Engine = Engine { endpoint, open };

fn endpoint() -> String {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        // Tests have runtimes of their own, which cannot wait for one another.
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(make_container());
        })
        .join()
        .unwrap();
    });
    wharf_engines::azure()
}

async fn make_container() {
    let url = format!("{}/{CONTAINER}?restype=container", wharf_engines::azure());
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = url.parse().unwrap();
    request.headers_mut().insert("content-length", "0".parse().unwrap());
    let key = AzureCredential::AccessKey(AzureAccessKey::try_new(AZURE_KEY).unwrap());
    AzureAuthorizer::new(&key, AZURE_ACCOUNT).try_authorize(&mut request).unwrap();
    let options = object_store::ClientOptions::new().with_allow_http(true);
    let client = ReqwestConnector::default().connect(&options).unwrap();
    let status = client.execute(request).await.unwrap().status();
    assert!(status == 201 || status == 409, "{status}");
}

pub(super) fn environment(endpoint: &str, key: &str) -> Vec<(String, String)> {
    [
        ("AZURE_STORAGE_ACCOUNT", AZURE_ACCOUNT),
        ("AZURE_STORAGE_KEY", key),
        ("AZURE_STORAGE_ENDPOINT", endpoint),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn open(endpoint: &str, prefix: &str, limits: Limits) -> ObjectBlobs {
    let url = format!("az://{CONTAINER}/{prefix}").parse().unwrap();
    ObjectBlobs::open(&url, environment(endpoint, AZURE_KEY), limits).unwrap()
}

fn new() -> (ObjectBlobs, ()) {
    (ENGINE.node(&new_prefix(), Limits::default()), ())
}

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
    for request in [
        client.put(url.expose()).header("x-ms-blob-type", "BlockBlob").body("x"),
        client.delete(url.expose()),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    assert_eq!(blobs.head(&key).await.unwrap(), Some(100_000));
}
