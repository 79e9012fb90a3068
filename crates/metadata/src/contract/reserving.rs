//! Rules of the two steps by which an upload becomes a blob: reserve, then finish.

use wharf_core::UploadId;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::SystemRandom;
use wharf_oci::Digest;

use super::samples::blob;
use super::stand::{LIFETIME, Stand, TICK, TIME_LIMIT};

fn incarnation(digest: Digest, incarnation: u32) -> ObjectKey {
    ObjectKey { digest, incarnation }
}

/// Reserving alone makes no membership.
pub async fn a_blob_is_reserved_at_the_key_that_is_its_digest(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    assert_eq!(stand.reserve(id, digest).await, Some(ObjectKey::canonical(digest)));
    assert_eq!(stand.held("a", digest).await, None);
}

/// Nothing of it is left.
pub async fn a_finished_upload_is_a_membership_and_no_upload(stand: &Stand) {
    let digest = blob("one");
    let key = stand.hold("a", digest).await;
    assert_eq!(stand.held("a", digest).await, Some(key));
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
    assert!(stand.rows("SELECT digest FROM blob_reservations", &[]).await.is_empty());
}

/// A collector that comes now finds a reservation and no mark.
pub async fn a_reservation_takes_the_mark_away(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    stand.mark(digest, 0, "marked").await;
    assert_eq!(stand.reserve(id, digest).await, Some(ObjectKey::canonical(digest)));
    assert!(stand.marks(digest).await.is_empty());
}

/// That object is deleted under its own key, however late, and harms nothing.
pub async fn a_condemned_blob_is_reserved_at_the_next_incarnation(stand: &Stand) {
    let digest = blob("one");
    for next in 1..=3 {
        stand.mark(digest, next - 1, "condemned").await;
        let key = stand.hold("a", digest).await;
        assert_eq!(key, incarnation(digest, next));
        assert_eq!(stand.held("a", digest).await, Some(key));
    }
    assert_eq!(stand.marks(digest).await, ["0 condemned", "1 condemned", "2 condemned"]);
}

/// Only the first push of a condemned blob makes a new key.
pub async fn a_second_upload_shares_the_new_incarnation(stand: &Stand) {
    let (first, second) = (stand.start("a").await, stand.start("b").await);
    let digest = blob("one");
    stand.mark(digest, 0, "condemned").await;
    assert_eq!(stand.reserve(first, digest).await, Some(incarnation(digest, 1)));
    assert_eq!(stand.reserve(second, digest).await, Some(incarnation(digest, 1)));
    assert!(stand.finish(second, incarnation(digest, 1)).await);
    assert!(stand.finish(first, incarnation(digest, 1)).await);
    assert_eq!(stand.held("a", digest).await, stand.held("b", digest).await);
}

/// With a new deadline, which is how a client whose request broke goes on.
pub async fn a_reservation_asked_for_twice_answers_the_same(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    stand.mark(digest, 0, "condemned").await;
    let key = stand.reserve(id, digest).await.unwrap();
    stand.clock.advance(TIME_LIMIT - TICK);
    assert_eq!(stand.reserve(id, digest).await, Some(key));
    stand.clock.advance(TIME_LIMIT - TICK);
    assert!(stand.finish(id, key).await);
}

/// Nor one that has expired; and no incarnation is used up by asking.
pub async fn an_upload_that_is_not_there_reserves_nothing(stand: &Stand) {
    let (expired, digest) = (stand.start("a").await, blob("one"));
    stand.mark(digest, 0, "condemned").await;
    stand.clock.advance(LIFETIME);
    assert_eq!(stand.reserve(expired, digest).await, None);
    assert_eq!(stand.reserve(UploadId::random(&SystemRandom), digest).await, None);
    assert!(stand.rows("SELECT digest FROM blob_incarnations", &[]).await.is_empty());
    assert_eq!(stand.marks(digest).await, ["0 condemned"]);
}

/// Also with another digest than the one reserved.
pub async fn a_finish_without_a_reservation_is_lost(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    assert!(!stand.finish(id, ObjectKey::canonical(digest)).await);
    let other = blob("two");
    stand.reserve(id, other).await.unwrap();
    assert!(!stand.finish(id, ObjectKey::canonical(digest)).await);
    assert_eq!(stand.held("a", digest).await, None);
    assert!(stand.finish(id, ObjectKey::canonical(other)).await);
}

/// Though its reservation has not.
pub async fn a_finish_after_the_upload_expired_is_lost(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    stand.clock.advance(LIFETIME - TICK);
    let key = stand.reserve(id, digest).await.unwrap();
    stand.clock.advance(TICK);
    assert!(!stand.finish(id, key).await);
    assert_eq!(stand.held("a", digest).await, None);
}

/// To the microsecond: whoever collects may have begun to delete the object.
pub async fn a_finish_after_the_deadline_is_lost(stand: &Stand) {
    let (late, timely, digest) = (stand.start("a").await, stand.start("b").await, blob("one"));
    let key = stand.reserve(late, digest).await.unwrap();
    stand.reserve(timely, digest).await.unwrap();
    stand.clock.advance(TIME_LIMIT - TICK);
    assert!(stand.finish(timely, key).await);
    stand.clock.advance(TICK);
    assert!(!stand.finish(late, key).await);
    assert_eq!(stand.held("a", digest).await, None);
    // The upload is still there, so the client may ask again.
    assert_eq!(stand.reserve(late, digest).await, Some(key));
    assert!(stand.finish(late, key).await);
}

/// No collector should have; where one did, the object is as good as gone.
pub async fn a_finish_of_a_blob_condemned_meanwhile_is_lost(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    let key = stand.reserve(id, digest).await.unwrap();
    stand.mark(digest, 0, "condemned").await;
    assert!(!stand.finish(id, key).await);
    assert_eq!(stand.held("a", digest).await, None);
    assert_eq!(stand.marks(digest).await, ["0 condemned"]);
    let next = stand.reserve(id, digest).await.unwrap();
    assert_eq!(next, incarnation(digest, 1));
    assert!(stand.finish(id, next).await);
}

/// Whatever made it so: the reservation is gone, and whoever let go of one has marked the blob.
pub async fn a_finish_that_is_lost_lets_go_of_what_it_had_reserved(stand: &Stand) {
    let (early, later, digest) = (stand.start("a").await, stand.start("b").await, blob("one"));
    let first = stand.reserve(early, digest).await.unwrap();
    stand.mark(digest, 0, "condemned").await;
    let second = stand.reserve(later, digest).await.unwrap();
    assert!(!stand.finish(early, first).await);
    assert_eq!(stand.rows("SELECT incarnation FROM blob_reservations", &[]).await, ["1"]);
    assert_eq!(stand.marks(digest).await, ["0 condemned", "1 marked"]);
    assert!(stand.finish(later, second).await, "a mark is no end");
    assert_eq!(stand.marks(digest).await, ["0 condemned"]);
}

/// Before and after the one that is current.
pub async fn a_finish_at_another_incarnation_is_lost(stand: &Stand) {
    let (early, later, digest) = (stand.start("a").await, stand.start("b").await, blob("one"));
    let first = stand.reserve(early, digest).await.unwrap();
    stand.mark(digest, 0, "condemned").await;
    let second = stand.reserve(later, digest).await.unwrap();
    assert!(!stand.finish(early, first).await);
    assert!(!stand.finish(early, second).await);
    assert!(!stand.finish(later, incarnation(digest, 2)).await);
    assert_eq!(stand.held("a", digest).await, None);
    assert_eq!(stand.held("b", digest).await, None);
    assert!(stand.finish(later, second).await);
}

/// One that was set between the two steps.
pub async fn a_finish_takes_a_mark_away(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    let key = stand.reserve(id, digest).await.unwrap();
    stand.mark(digest, 0, "marked").await;
    assert!(stand.finish(id, key).await);
    assert!(stand.marks(digest).await.is_empty());
}

/// The upload is gone; the membership stays.
pub async fn a_finish_asked_for_twice_is_lost_and_changes_nothing(stand: &Stand) {
    let (id, digest) = (stand.start("a").await, blob("one"));
    let key = stand.reserve(id, digest).await.unwrap();
    assert!(stand.finish(id, key).await);
    let before = stand.everything().await;
    assert!(!stand.finish(id, key).await);
    assert_eq!(stand.everything().await, before);
    assert_eq!(stand.held("a", digest).await, Some(key));
}
