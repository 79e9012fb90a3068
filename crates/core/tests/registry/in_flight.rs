//! Requests at once: one an upload, so many in all, and a place is given back however a request ends.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use wharf_core::metadata::Uploads;
use wharf_core::operation::CancelUpload;
use wharf_core::{Error, Result, Rules, Source, UploadId, UploadState};

use crate::stand::{Stand, content, digest, name, nothing, whole};

fn busy<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Busy(_)))
}

/// A body of these bytes that tells when it is first asked for some, and gives them when told to.
fn held(bytes: &Bytes) -> (Source<'static>, Receiver<()>, Sender<()>) {
    let ((reached, is_reached), (go_on, may_go_on)) = (channel(), channel::<()>());
    let wait = async move {
        reached.send(()).unwrap();
        // A dropped sender lets it go on, too.
        let _ = may_go_on.await;
    };
    let source = stream::once(wait).filter_map(|()| async { None }).chain(whole(bytes));
    (Box::pin(source), is_reached, go_on)
}

/// A request that is at work on the upload until it is told to go on.
async fn at_work(
    stand: &std::sync::Arc<Stand>,
    upload: UploadId,
    bytes: &Bytes,
) -> (JoinHandle<Result<UploadState>>, Sender<()>) {
    let (source, reached, go_on) = held(bytes);
    let working = stand.clone();
    let request = tokio::spawn(async move { working.append("a", upload, source).await });
    reached.await.unwrap();
    (request, go_on)
}

fn stand(places: usize) -> std::sync::Arc<Stand> {
    let rules = Rules { max_uploads_in_flight: places, ..Rules::default() };
    Stand::with(rules).into()
}

#[tokio::test]
async fn a_second_request_on_an_upload_is_told_to_come_later() {
    let (stand, bytes) = (stand(16), content(200_000, 1));
    let upload = stand.start("a").await.unwrap();
    let (first, go_on) = at_work(&stand, upload, &bytes).await;
    let other = content(300_000, 2);
    assert!(busy(&stand.append("a", upload, whole(&other)).await));
    assert!(busy(&stand.finish("a", upload, digest(&other), whole(&other)).await));
    let cancel = stand.allowed(CancelUpload { repository: name("a"), upload }).await;
    assert!(busy(&stand.registry.cancel_upload(&cancel).await));
    assert_eq!(stand.offset("a", upload).await.unwrap(), 0);
    go_on.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap().offset, 200_000);
    stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn an_upload_asks_for_no_place_of_another() {
    let (stand, bytes) = (stand(16), content(1000, 1));
    let (one, other) = (stand.start("a").await.unwrap(), stand.start("a").await.unwrap());
    let (first, go_on) = at_work(&stand, one, &bytes).await;
    stand.finish("a", other, digest(&bytes), whole(&bytes)).await.unwrap();
    go_on.send(()).unwrap();
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn no_more_uploads_are_at_work_than_the_rules_allow() {
    let (stand, bytes) = (stand(2), content(1000, 1));
    let mut requests = Vec::new();
    for _ in 0..2 {
        let upload = stand.start("a").await.unwrap();
        requests.push(at_work(&stand, upload, &bytes).await);
    }
    let third = stand.start("a").await.unwrap();
    assert!(busy(&stand.append("a", third, whole(&bytes)).await));
    assert!(busy(&stand.finish("a", third, digest(&bytes), whole(&bytes)).await));
    let uploads = stand.metadata.count_uploads().await.unwrap();
    assert!(busy(&stand.push("a", &bytes).await));
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), uploads, "nothing is left of it");
    let (request, go_on) = requests.remove(0);
    go_on.send(()).unwrap();
    request.await.unwrap().unwrap();
    stand.finish("a", third, digest(&bytes), whole(&bytes)).await.unwrap();
}

#[tokio::test]
async fn a_request_that_went_away_gives_its_place_back() {
    let (stand, bytes) = (stand(1), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    for _ in 0..3 {
        let (request, _go_on) = at_work(&stand, upload, &bytes).await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
    }
    stand.finish("a", upload, digest(&bytes), whole(&bytes)).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_race_for_an_upload_never_mix_their_bytes() {
    let stand = stand(64);
    for round in 0..20 {
        let upload = stand.start("a").await.unwrap();
        let requests: Vec<_> = (0..8)
            .map(|number| {
                let (stand, bytes) = (stand.clone(), content(100_000, round * 8 + number));
                tokio::spawn(async move {
                    let digest = digest(&bytes);
                    let result = stand.finish("a", upload, digest, whole(&bytes)).await;
                    (bytes, result)
                })
            })
            .collect();
        let mut finished = 0;
        for request in requests {
            let (bytes, result) = request.await.unwrap();
            let found = stand.pull("a", digest(&bytes)).await;
            assert_eq!(found.is_some(), result.is_ok(), "{result:?}");
            finished += usize::from(found.is_some_and(|found| found == bytes));
        }
        assert_eq!(finished, 1, "one of those that were let in had the upload to itself");
    }
}
