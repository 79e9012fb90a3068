//! What can happen to bytes and requests on their way: lost, cut, stalled, changed, refused for a while.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, ReadError, StageError, Staged};
use wharf_oci::ByteRange;

use super::proxy::{Act, Call, Proxy};
use super::{
    Engine, Limits, ObjectBlobs, append, chunks, content, gathered, holds, key_of, new_prefix,
    new_upload, on_each_service, small_limits,
};

const MIB: usize = 1 << 20;

on_each_service! {
    a_body_that_is_changed_is_found_corrupt
    a_body_that_is_cut_is_read_on_or_breaks_off
    a_body_that_is_always_cut_breaks_off
    a_body_that_stalls_breaks_off_in_time
    a_range_that_is_answered_by_another_is_refused
    a_service_that_is_overloaded_for_a_while_is_waited_for
    a_service_that_stays_away_is_told_in_time
    a_part_that_fails_leaves_the_upload_as_it_was
}

/// Times short enough for a test to wait for.
fn short_limits() -> Limits {
    let (request, stall) = (Duration::from_secs(4), Duration::from_secs(1));
    Limits { request, stall, ..small_limits() }
}

/// A node that speaks through a proxy, and an object of 3 MiB in its store.
async fn stand(engine: Engine) -> (Proxy, ObjectBlobs, bytes::Bytes) {
    let (proxy, prefix) = (Proxy::before(&(engine.endpoint)()).await, new_prefix());
    let (direct, bytes) = (engine.node(&prefix, small_limits()), content(3 * MIB, 1));
    let upload = new_upload();
    let staged = append(&direct, &upload, &Staged::default(), &bytes).await;
    direct.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    ((proxy.clone()), (engine.open)(proxy.endpoint(), &prefix, short_limits()), bytes)
}

fn is_get(call: &Call) -> bool {
    call.method == Method::GET
}

async fn a_body_that_is_changed_is_found_corrupt(engine: Engine) {
    let (proxy, blobs, bytes) = stand(engine).await;
    let change = |mut body: Vec<u8>| {
        body[2 * MIB] ^= 1;
        body
    };
    proxy.script((0, 1), Act::Change(change), is_get);
    let found = blobs.read(&key_of(&bytes), None).await.unwrap();
    let fault = gathered(found.stream).await;
    assert!(matches!(fault, Err(StoreError::Corrupt(_))), "{:?}", fault.map(|it| it.len()));
    holds(&blobs, &bytes).await;
}

async fn a_body_that_is_cut_is_read_on_or_breaks_off(engine: Engine) {
    let (proxy, blobs, bytes) = stand(engine).await;
    proxy.script((0, 1), Act::CutAfter(MIB), is_get);
    let found = blobs.read(&key_of(&bytes), None).await.unwrap();
    match gathered(found.stream).await {
        Ok(read) => assert!(read == bytes, "the bytes differ"),
        Err(fault) => assert!(matches!(fault, StoreError::Unavailable(_)), "{fault}"),
    }
}

async fn a_body_that_is_always_cut_breaks_off(engine: Engine) {
    let (proxy, blobs, bytes) = stand(engine).await;
    proxy.script((0, 1000), Act::CutAfter(100), is_get);
    let begin = Instant::now();
    let fault = match blobs.read(&key_of(&bytes), Some(ByteRange::From(10))).await {
        Ok(found) => gathered(found.stream).await.map(|it| it.len()).unwrap_err(),
        Err(ReadError::Store(fault)) => fault,
        Err(other) => panic!("{other}"),
    };
    assert!(matches!(fault, StoreError::Unavailable(_)), "{fault}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}

async fn a_body_that_stalls_breaks_off_in_time(engine: Engine) {
    let (proxy, blobs, bytes) = stand(engine).await;
    proxy.script((0, 1000), Act::StallAfter(MIB), is_get);
    let begin = Instant::now();
    let found = blobs.read(&key_of(&bytes), None).await.unwrap();
    let fault = gathered(found.stream).await.map(|it| it.len());
    assert!(matches!(fault, Err(StoreError::Unavailable(_))), "{fault:?}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    proxy.forget();
    holds(&blobs, &bytes).await;
}

/// A cache before the service answers with what it has.
async fn a_range_that_is_answered_by_another_is_refused(engine: Engine) {
    let (proxy, blobs, bytes) = stand(engine).await;
    proxy.script((0, 1000), Act::Reheader("content-range", "bytes 0-9/3145728"), is_get);
    let found = blobs.read(&key_of(&bytes), Some(ByteRange::Between(10, 19))).await;
    let found = found.map(|content| content.range);
    assert!(matches!(found, Err(ReadError::Store(_))), "{found:?}");
}

async fn a_service_that_is_overloaded_for_a_while_is_waited_for(engine: Engine) {
    let (proxy, blobs, _) = stand(engine).await;
    let (upload, bytes) = (new_upload(), content(12 * MIB, 2));
    // Every request is refused first, and done when it comes again.
    for (index, kind) in
        [Method::PUT, Method::POST, Method::GET, Method::HEAD].into_iter().enumerate()
    {
        let code = if index % 2 == 0 { (503, "SlowDown") } else { (500, "InternalError") };
        proxy.script((0, 1), Act::Refuse(code.0, code.1), move |call| call.method == kind);
    }
    let staged = append(&blobs, &upload, &Staged::default(), &bytes).await;
    blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    holds(&blobs, &bytes).await;
}

async fn a_service_that_stays_away_is_told_in_time(engine: Engine) {
    let (proxy, blobs, bytes) = stand(engine).await;
    proxy.script((0, 10_000), Act::Refuse(503, "SlowDown"), |_| true);
    let begin = Instant::now();
    let key = key_of(&bytes);
    let unavailable = |fault: &StoreError| matches!(fault, StoreError::Unavailable(_));
    let (upload, nothing) = (new_upload(), Staged::default());
    let (head, check, append) = tokio::join!(
        blobs.head(&key),
        blobs.check(),
        blobs.append(&upload, &nothing, chunks(&bytes)),
    );
    assert!(unavailable(&head.unwrap_err()) && unavailable(&check.unwrap_err()));
    assert!(matches!(append, Err(StageError::Store(fault)) if unavailable(&fault)));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    proxy.forget();
    holds(&blobs, &bytes).await;
}

async fn a_part_that_fails_leaves_the_upload_as_it_was(engine: Engine) {
    let (proxy, blobs, _) = stand(engine).await;
    let (upload, bytes) = (new_upload(), content(24 * MIB, 2));
    let first = append(&blobs, &upload, &Staged::default(), &bytes.slice(..11 * MIB)).await;
    let is_part = |call: &Call| {
        let part = call.target.contains("partNumber=") || call.target.contains("comp=block&");
        call.method == Method::PUT && part
    };
    proxy.script((1, 1), Act::Refuse(403, "AccessDenied"), is_part);
    let failed = blobs.append(&upload, &first, chunks(&bytes.slice(11 * MIB..))).await;
    assert!(matches!(failed, Err(StageError::Store(_))), "{failed:?}");
    let all = append(&blobs, &upload, &first, &bytes.slice(11 * MIB..)).await;
    blobs.finish(&upload, &all, &key_of(&bytes)).await.unwrap();
    holds(&blobs, &bytes).await;
}

/// S3 compares with the checksum that comes along. To Azure and Google none is sent: TLS guards the way.
#[tokio::test]
async fn bytes_that_are_changed_on_their_way_to_s3_are_not_acknowledged() {
    let (proxy, blobs, _) = stand(super::s3::ENGINE).await;
    let (upload, bytes) = (new_upload(), content(1000, 2));
    let is_put = |call: &Call| call.method == Method::PUT;
    proxy.script((0, 1000), Act::ChangeSent(|body| body.reverse()), is_put);
    let staged = blobs.append(&upload, &Staged::default(), chunks(&bytes)).await;
    assert!(matches!(staged, Err(StageError::Store(_))), "{staged:?}");
}
