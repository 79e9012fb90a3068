//! Direct uploads into S3: what whoever holds a part's URL cannot do, and nodes that die at any request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use wharf_core::UploadId;
use wharf_core::blobs::{Blobs, StageError, Staged};
use wharf_core::direct::{DirectStore, DirectUploads, PartNumber, PartTag, SignedParts};

use super::proxy::{Act, Proxy};
use super::s3::ENGINE;
use super::{
    Limits, ObjectBlobs, content, holds, key_of, left, new_prefix, new_upload, small_limits,
};

const MIB: usize = 1 << 20;

fn new() -> (Arc<dyn Blobs>, DirectStore, ()) {
    opened(small_limits())
}

/// Copies at once.
fn large() -> (Arc<dyn Blobs>, DirectStore, ()) {
    opened(Limits { part_size: 5 << 20, ..Limits::default() })
}

fn opened(limits: Limits) -> (Arc<dyn Blobs>, DirectStore, ()) {
    let blobs = Arc::new(ENGINE.node(&new_prefix(), limits));
    let direct = blobs.direct_uploads().unwrap();
    (blobs, direct, ())
}

mod contract {
    crate::direct_uploads_contract!(super::new);
}

mod contract_with_copies_at_once {
    crate::direct_uploads_contract!(super::large);
}

fn number(number: u32) -> PartNumber {
    PartNumber::new(number).unwrap()
}

async fn url(blobs: &ObjectBlobs, upload: &UploadId, staged: &Staged, part: u32) -> String {
    let life = Duration::from_secs(60);
    let url = blobs.sign_part(upload, staged, number(part), life).await.unwrap();
    assert!(!format!("{url:?}").contains("Signature"), "{url:?}");
    url.expose().to_owned()
}

async fn put(url: &str, bytes: Bytes) -> reqwest::Response {
    reqwest::Client::new().put(url).body(bytes).send().await.unwrap()
}

/// Sends all parts of an upload.
async fn send(
    blobs: &ObjectBlobs,
    upload: &UploadId,
    staged: &Staged,
    bytes: &Bytes,
) -> Vec<(PartNumber, PartTag)> {
    let plan = blobs.plan(staged).unwrap();
    let mut parts = Vec::new();
    for part in (1..=plan.count()).map(number) {
        let (start, length) = plan.part(part).unwrap();
        let bytes = bytes.slice(start as usize..(start + length) as usize);
        let reply = put(&url(blobs, upload, staged, part.get()).await, bytes).await;
        assert_eq!(reply.status(), 200);
        parts.push((part, reply.headers()["etag"].to_str().unwrap().parse().unwrap()));
    }
    parts
}

/// Assembles the parts, unless that was done.
async fn assemble(
    blobs: &ObjectBlobs,
    upload: &UploadId,
    staged: &Staged,
    parts: &[(PartNumber, PartTag)],
) -> Result<Staged, StageError> {
    match blobs.assemble(upload, staged, parts).await {
        Ok(()) | Err(StageError::NotFound) => {}
        Err(error) => return Err(error),
    }
    blobs.assembled(upload, staged).await?.ok_or(StageError::NotFound)
}

/// A blob that was sent and assembled.
async fn assembled(blobs: &ObjectBlobs, bytes: &Bytes) -> (UploadId, Staged) {
    let upload = new_upload();
    let staged = blobs.begin(&upload, bytes.len() as u64).await.unwrap();
    let parts = send(blobs, &upload, &staged, bytes).await;
    (upload, assemble(blobs, &upload, &staged, &parts).await.unwrap())
}

#[tokio::test]
async fn a_url_is_for_one_part_of_one_upload_and_no_other_key() {
    let blobs = ENGINE.node(&new_prefix(), small_limits());
    let (upload, other) = (new_upload(), new_upload());
    let staged = blobs.begin(&upload, 12 * MIB as u64).await.unwrap();
    let elsewhere = blobs.begin(&other, 12 * MIB as u64).await.unwrap();
    let first = url(&blobs, &upload, &staged, 1).await;
    let theirs = url(&blobs, &other, &elsewhere, 1).await;
    let part = content(5 * MIB, 1);
    let key = blobs.object_path(&key_of(&part)).to_string();
    let path = first.split('?').next().unwrap().split_once("/wharf-blobs/").unwrap().1.to_owned();
    let name = |url: &str| {
        let (_, rest) = url.split_once("uploadId=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let length = |signed: &str| signed.replace("content-length%3Bhost", "host");
    let changed = [
        ("the canonical key", first.replace(&path, &key)),
        ("another upload's key", theirs.replace(&name(&theirs), &name(&first))),
        ("another part", first.replace("partNumber=1", "partNumber=2")),
        ("another upload", first.replace(&name(&first), &name(&theirs))),
        ("no upload", first.replace("uploadId=", "unknown=")),
        ("another life", first.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")),
        ("a length that is not signed", length(&first)),
    ];
    for (what, changed) in changed {
        assert_ne!(changed, first, "{what}: {first}");
        let reply = put(&changed, part.clone()).await;
        assert_eq!(reply.status(), 403, "{what}");
    }
    for length in [5 * MIB - 1, 5 * MIB + 1] {
        assert_eq!(put(&first, content(length, 2)).await.status(), 403, "{length}");
    }
    for request in [
        reqwest::Client::new().get(&first),
        reqwest::Client::new().delete(&first),
        reqwest::Client::new().post(&first),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    assert!(blobs.received(&upload, &staged).await.unwrap().is_empty());
    assert!(blobs.received(&other, &elsewhere).await.unwrap().is_empty());
    assert_eq!(put(&first, part.clone()).await.status(), 200);
    assert_eq!(blobs.head(&key_of(&part)).await.unwrap(), None);
}

#[tokio::test]
async fn a_url_is_worth_nothing_after_its_time() {
    let blobs = ENGINE.node(&new_prefix(), small_limits());
    let upload = new_upload();
    let staged = blobs.begin(&upload, 5).await.unwrap();
    let life = Duration::from_secs(1);
    let url = blobs.sign_part(&upload, &staged, number(1), life).await.unwrap();
    let begun = std::time::Instant::now();
    while put(url.expose(), content(5, 1)).await.status() != 403 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the URL does not expire");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_url_is_worth_nothing_once_the_parts_are_assembled_or_dropped() {
    let blobs = ENGINE.node(&new_prefix(), small_limits());
    let bytes = content(11 * MIB, 3);
    let (upload, dropped) = (new_upload(), new_upload());
    let staged = blobs.begin(&upload, bytes.len() as u64).await.unwrap();
    let first = url(&blobs, &upload, &staged, 1).await;
    let parts = send(&blobs, &upload, &staged, &bytes).await;
    let whole = assemble(&blobs, &upload, &staged, &parts).await.unwrap();
    assert_eq!(put(&first, content(5 * MIB, 4)).await.status(), 404);
    blobs.finish(&upload, &whole, &key_of(&bytes)).await.unwrap();
    assert_eq!(put(&first, content(5 * MIB, 4)).await.status(), 404);
    holds(&blobs, &bytes).await;
    assert!(left(&blobs, &upload).await.is_empty());

    let staged = blobs.begin(&dropped, 5).await.unwrap();
    let first = url(&blobs, &dropped, &staged, 1).await;
    blobs.discard(&dropped, &staged).await.unwrap();
    assert_eq!(put(&first, content(5, 4)).await.status(), 404);
    assert!(left(&blobs, &dropped).await.is_empty());
}

#[tokio::test]
async fn what_was_changed_after_it_was_verified_is_never_put_in_place_by_one_copy() {
    changed_after_verification(Limits { part_size: 5 << 20, ..Limits::default() }).await;
}

#[tokio::test]
async fn what_was_changed_after_it_was_verified_is_never_put_in_place_by_parts() {
    changed_after_verification(small_limits()).await;
}

async fn changed_after_verification(limits: Limits) {
    let blobs = ENGINE.node(&new_prefix(), limits);
    let bytes = content(11 * MIB, 5);
    let (upload, whole) = assembled(&blobs, &bytes).await;
    // As only who has the store's own credentials can.
    let staging = blobs.path(&format!("staging/{upload}"));
    let listed = blobs.service.list_with_delimiter(Some(&staging)).await.unwrap();
    let object = listed.objects[0].location.clone();
    let evil = content(bytes.len(), 6);
    blobs.service.put(&object, evil.into()).await.unwrap();
    let read = blobs.read_staged(&upload, &whole).await;
    assert!(matches!(read, Err(StageError::NotFound)), "what is not the version is not read");
    let finished = blobs.finish(&upload, &whole, &key_of(&bytes)).await;
    assert!(matches!(finished, Err(StageError::NotFound)), "{finished:?}");
    assert_eq!(blobs.head(&key_of(&bytes)).await.unwrap(), None);
    blobs.discard(&upload, &whole).await.unwrap();
    assert!(left(&blobs, &upload).await.is_empty());
}

#[tokio::test]
async fn more_parts_than_one_page_has_are_all_told() {
    let blobs = ENGINE.node(&new_prefix(), Limits { part_size: 1, ..Limits::default() });
    let bytes = content(1010, 1);
    let upload = new_upload();
    let staged = blobs.begin(&upload, bytes.len() as u64).await.unwrap();
    let sent = send(&blobs, &upload, &staged, &bytes).await;
    let received = blobs.received(&upload, &staged).await.unwrap();
    let received: Vec<_> = received.into_iter().map(|part| (part.number, part.tag)).collect();
    assert!(received == sent, "{} of {}", received.len(), sent.len());
    blobs.discard(&upload, &staged).await.unwrap();
}

#[tokio::test]
async fn parts_that_nobody_goes_on_with_are_collected() {
    use wharf_core::blobs::Leftovers;
    let blobs = ENGINE.node(&new_prefix(), small_limits());
    let upload = new_upload();
    let staged = blobs.begin(&upload, 11 * MIB as u64).await.unwrap();
    assert_eq!(put(&url(&blobs, &upload, &staged, 3).await, content(MIB, 1)).await.status(), 200);
    assert_eq!(blobs.staged_before(Duration::ZERO, 10).await.unwrap(), [upload]);
    blobs.drop_leftovers(&upload).await.unwrap();
    assert!(left(&blobs, &upload).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_goes_on_wherever_a_node_died() {
    let (proxy, prefix) = (Proxy::before(&(ENGINE.endpoint)()).await, new_prefix());
    let whole = ENGINE.node(&prefix, small_limits());
    let dying = Arc::new((ENGINE.open)(proxy.endpoint(), &prefix, small_limits()));
    let mut requests = None;
    for (round, die) in [Act::DieBefore, Act::DieAfter].into_iter().enumerate() {
        for request in 0.. {
            if requests.is_some_and(|requests| request >= requests) {
                break;
            }
            let bytes = content(7 * MIB + 5, (round * 1000 + request) as u64 + 1);
            let upload = new_upload();
            let staged = whole.begin(&upload, bytes.len() as u64).await.unwrap();
            let parts = send(&whole, &upload, &staged, &bytes).await;
            if requests.is_none() {
                // The first time tells how many requests there are to die at.
                proxy.calls();
                end(&dying, &upload, &staged, &parts, &bytes).await.unwrap();
                requests = Some(proxy.calls().len());
                continue;
            }
            proxy.script((request, 1), die.clone(), |_| true);
            let (node, at_work, named, sent) =
                (Arc::clone(&dying), staged.clone(), parts.clone(), bytes.clone());
            let dead =
                tokio::spawn(async move { end(&node, &upload, &at_work, &named, &sent).await });
            proxy.died().await;
            dead.abort();
            let _ = dead.await;
            proxy.forget();
            // What the dead one assembled was recorded or not; here it was not. Where it got as far as dropping what
            // was staged, the object is in place.
            match end(&whole, &upload, &staged, &parts, &bytes).await {
                Ok(()) => {}
                Err(StageError::NotFound) => {
                    assert!(whole.head(&key_of(&bytes)).await.unwrap().is_some(), "{request}");
                }
                Err(error) => panic!("{round} {request}: {error}"),
            }
            holds(&whole, &bytes).await;
            assert!(left(&whole, &upload).await.is_empty(), "{round} {request}");
        }
    }
    assert!(requests.is_some_and(|requests| requests >= 6), "{requests:?}");
}

async fn end(
    blobs: &ObjectBlobs,
    upload: &UploadId,
    staged: &Staged,
    parts: &[(PartNumber, PartTag)],
    bytes: &Bytes,
) -> Result<(), StageError> {
    let whole = assemble(blobs, upload, staged, parts).await?;
    let read = super::gathered(blobs.read_staged(upload, &whole).await?).await?;
    assert!(read == bytes, "the bytes differ");
    blobs.finish(upload, &whole, &key_of(bytes)).await
}

#[test]
fn only_s3_takes_direct_uploads() {
    let of = |url: &str, environment: &[(&str, &str)]| {
        let variables =
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let blobs = ObjectBlobs::open(&url.parse().unwrap(), variables, Limits::default());
        Arc::new(blobs.unwrap()).direct_uploads().is_some()
    };
    let s3 = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "r")];
    assert!(of("s3://bucket", &s3));
    let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "a"), ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")];
    assert!(!of("az://container", &azure));
}
