//! Rules of uploads: whose they are, how they come further, when they end.

use wharf_core::UploadId;
use wharf_core::blobs::Staged;
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{Progress, Upload};
use wharf_oci::{Algorithm, Hasher};

use super::samples::{blob, name};
use super::stand::{LIFETIME, Stand, TICK, TIME_LIMIT};

async fn found(stand: &Stand, repository: &str, id: UploadId) -> Option<Upload> {
    stand.metadata.find_upload(name(repository), id).await.unwrap()
}

/// Whether progress from one offset to another counted. The bytes are zeros.
async fn progress(stand: &Stand, id: UploadId, from_offset: u64, offset: u64) -> bool {
    let progress = Progress {
        id,
        from_offset,
        staged: staged(offset),
        hash: hash(offset),
        lifetime: LIFETIME,
    };
    stand.metadata.record_progress(progress).await.unwrap()
}

fn staged(offset: u64) -> Staged {
    Staged { offset, parts: format!("parts until {offset}").into_bytes() }
}

fn hash(length: u64) -> wharf_oci::HashState {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&vec![0; length as usize]);
    hasher.state()
}

async fn expired(stand: &Stand, limit: usize) -> Vec<UploadId> {
    let uploads = stand.metadata.expired_uploads(limit).await.unwrap();
    uploads.into_iter().map(|upload| upload.id).collect()
}

/// And is counted.
pub async fn an_upload_is_found_as_it_was_begun(stand: &Stand) {
    let id = stand.start("a").await;
    let expected = Upload {
        id,
        principal: "alice".into(),
        staged: Staged::default(),
        hash: hash(0),
        is_limited: false,
    };
    assert_eq!(found(stand, "a", id).await, Some(expected));
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 1);
    stand.start("b").await;
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 2);
}

/// Whoever may push elsewhere does not get at it.
pub async fn an_upload_is_found_only_under_its_repository(stand: &Stand) {
    let id = stand.start("a").await;
    stand.start("b").await;
    assert_eq!(found(stand, "b", id).await, None);
    assert_eq!(found(stand, "unknown", id).await, None);
    assert_eq!(found(stand, "a", UploadId::random(&SystemRandom)).await, None);
}

/// To the microsecond.
pub async fn an_upload_expires_by_the_databases_clock(stand: &Stand) {
    let id = stand.start("a").await;
    stand.clock.advance(LIFETIME - TICK);
    assert!(found(stand, "a", id).await.is_some());
    stand.clock.advance(TICK);
    assert_eq!(found(stand, "a", id).await, None);
}

/// What was appended on another ground does not count.
pub async fn progress_counts_only_from_the_recorded_offset(stand: &Stand) {
    let id = stand.start("a").await;
    assert!(progress(stand, id, 0, 100).await);
    assert!(!progress(stand, id, 0, 200).await);
    assert!(!progress(stand, id, 99, 200).await);
    let upload = found(stand, "a", id).await.unwrap();
    assert_eq!((upload.staged, upload.hash), (staged(100), hash(100)));
    assert!(progress(stand, id, 100, 250).await);
    let upload = found(stand, "a", id).await.unwrap();
    assert_eq!((upload.staged, upload.hash), (staged(250), hash(250)));
    assert!(!progress(stand, UploadId::random(&SystemRandom), 0, 100).await);
}

/// As long as when it began.
pub async fn progress_makes_an_upload_live_on(stand: &Stand) {
    let id = stand.start("a").await;
    stand.clock.advance(LIFETIME - TICK);
    assert!(progress(stand, id, 0, 100).await);
    stand.clock.advance(LIFETIME - TICK);
    assert!(found(stand, "a", id).await.is_some());
    stand.clock.advance(TICK);
    assert_eq!(found(stand, "a", id).await, None);
}

/// And changes nothing else.
pub async fn a_touch_makes_an_upload_live_on(stand: &Stand) {
    let id = stand.start("a").await;
    assert!(progress(stand, id, 0, 100).await);
    let before = found(stand, "a", id).await;
    stand.clock.advance(LIFETIME - TICK);
    assert!(stand.metadata.touch_upload(id, LIFETIME).await.unwrap());
    stand.clock.advance(LIFETIME - TICK);
    assert_eq!(found(stand, "a", id).await, before);
    stand.clock.advance(TICK);
    assert!(!stand.metadata.touch_upload(id, LIFETIME).await.unwrap());
    assert_eq!(found(stand, "a", id).await, None);
}

/// It is not brought back to life.
pub async fn an_expired_upload_makes_no_progress(stand: &Stand) {
    let id = stand.start("a").await;
    stand.clock.advance(LIFETIME);
    assert!(!progress(stand, id, 0, 100).await);
    assert_eq!(found(stand, "a", id).await, None);
    assert_eq!(expired(stand, 10).await, [id]);
}

/// With its reservations.
pub async fn a_cancelled_upload_is_gone(stand: &Stand) {
    let (id, other) = (stand.start("a").await, stand.start("a").await);
    stand.reserve(id, blob("one")).await.unwrap();
    assert!(stand.metadata.cancel_upload(id).await.unwrap());
    assert!(!stand.metadata.cancel_upload(id).await.unwrap());
    assert_eq!(found(stand, "a", id).await, None);
    assert!(!progress(stand, id, 0, 100).await);
    assert!(stand.rows("SELECT digest FROM blob_reservations", &[]).await.is_empty());
    assert!(found(stand, "a", other).await.is_some());
}

/// So that none waits for ever behind younger ones.
pub async fn expired_uploads_are_listed_the_oldest_first(stand: &Stand) {
    let first = stand.start("a").await;
    stand.clock.advance(TICK);
    let second = stand.start("b").await;
    stand.clock.advance(TICK);
    let third = stand.start("a").await;
    stand.clock.advance(LIFETIME - TICK * 2);
    assert_eq!(expired(stand, 10).await, [first]);
    stand.clock.advance(TICK * 2);
    assert_eq!(expired(stand, 10).await, [first, second, third]);
    assert_eq!(expired(stand, 2).await, [first, second]);
    // They are still to be ended, so they are still counted.
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 3);
}

/// Its object may be on its way until then.
pub async fn an_expired_upload_is_not_listed_before_its_reservations_deadline(stand: &Stand) {
    let id = stand.start("a").await;
    stand.clock.advance(LIFETIME - TICK);
    stand.reserve(id, blob("one")).await.unwrap();
    stand.clock.advance(TIME_LIMIT - TICK);
    assert!(expired(stand, 10).await.is_empty());
    stand.clock.advance(TICK);
    assert_eq!(expired(stand, 10).await, [id]);
}

/// Expired ones too: what is staged for them is not left over before they are ended.
pub async fn known_uploads_are_those_that_there_are(stand: &Stand) {
    let (one, ended, expired) =
        (stand.start("a").await, stand.start("a").await, stand.start("b").await);
    assert!(stand.metadata.cancel_upload(ended).await.unwrap());
    stand.clock.advance(LIFETIME);
    let never = UploadId::random(&SystemRandom);
    let asked = vec![never, expired, ended, one];
    assert_eq!(stand.metadata.known_uploads(asked).await.unwrap(), [expired, one]);
    assert!(stand.metadata.known_uploads(Vec::new()).await.unwrap().is_empty());
}
