//! Rules of repairs: a copy becomes the blob's object for all who hold it, and for nobody else; what is damaged is kept.

use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    Damage, FaultKind, FindingFilter, FinishRepair, Judged, MOST_COPIES, SetWrites, StartRepair,
};
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_core::{StoreError, UploadId};

use super::garbage::GRACE;
use super::samples::{blob, name};
use super::stand::{LIFETIME, Stand, TIME_LIMIT};

/// What a repair on the stand says that it copied.
const SOURCE: &str = "the other shelf";

pub(crate) fn start_repair(damaged: ObjectKey) -> StartRepair {
    let id = UploadId::random(&SystemRandom);
    StartRepair { id, damaged, staged: Staged::default(), lifetime: LIFETIME }
}

impl Stand {
    /// A blob that a repository holds, in quarantine.
    pub(crate) async fn quarantined(&self, repository: &str, text: &str) -> ObjectKey {
        let key = self.hold(repository, blob(text)).await;
        assert!(self.integrity.quarantine(key, Damage::Missing).await.unwrap());
        key
    }

    /// A repair whose copy is in place.
    pub(crate) async fn repairing(&self, damaged: ObjectKey) -> FinishRepair {
        let start = start_repair(damaged);
        let id = start.id;
        assert!(self.integrity.start_repair(start).await.unwrap());
        let key = self.reserve(id, damaged.digest).await.unwrap();
        FinishRepair { id, damaged, key, source: SOURCE.into() }
    }

    async fn repair(&self, finish: &FinishRepair) -> bool {
        self.integrity.finish_repair(finish.clone()).await.unwrap()
    }

    async fn uploads(&self) -> u64 {
        self.metadata.count_uploads().await.unwrap()
    }
}

/// At a new key, and the damaged object stays in quarantine. Who does not hold the blob does not come to.
pub async fn a_repair_gives_the_blob_back_to_all_who_hold_it(stand: &Stand) {
    let damaged = stand.quarantined("a", "one").await;
    stand.rows("DELETE FROM events", &[]).await;
    let finish = stand.repairing(damaged).await;
    assert_eq!(finish.key.incarnation, 1);
    assert_eq!(stand.held("a", damaged.digest).await, None);
    assert_eq!(stand.uploads().await, 1);
    assert!(stand.repair(&finish).await);
    assert_eq!(stand.held("a", damaged.digest).await, Some(finish.key));
    assert_eq!(stand.held("b", damaged.digest).await, None);
    assert_eq!(stand.uploads().await, 0);
    assert_eq!(stand.marks(damaged.digest).await, ["0 quarantined", "1 marked"]);
    let found = stand.integrity.list_scrub_findings(FindingFilter::ALL, None, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind.known(), found[0].is_quarantined), (Some(FaultKind::Missing), true));
    assert_eq!(found[0].repaired_from.as_deref(), Some(SOURCE));
    assert_eq!(found[0].resolved_at, Some(stand.clock_now()));
    assert_eq!(stand.events().await, [format!("blob.repaired {}", damaged.digest)]);
    let told = "SELECT by, target, detail FROM audit_log WHERE action = 'blob.repair'";
    let target = format!("system blob:{} incarnation=1; from {SOURCE}", damaged.digest);
    assert_eq!(stand.rows(told, &[]).await, [target]);
    // Asked twice it changes nothing.
    assert!(!stand.repair(&finish).await);
    // It is held, and so its mark goes.
    stand.clock.advance(GRACE);
    let judged = stand.garbage.condemn_blobs(GRACE, 10).await.unwrap();
    assert_eq!(judged, Judged { condemned: 0, spared: 1 });
    assert_eq!(stand.held("a", damaged.digest).await, Some(finish.key));
    // Damaged once more, the fault is a new one that nothing has repaired.
    stand.integrity.quarantine(finish.key, Damage::Missing).await.unwrap();
    let found =
        stand.integrity.list_scrub_findings(FindingFilter::default(), None, 10).await.unwrap();
    assert_eq!((found.len(), found[0].incarnation, &found[0].repaired_from), (1, 1, &None));
}

/// It is nobody's, and goes as garbage does.
pub async fn a_blob_that_nobody_holds_any_more_is_repaired_for_nobody(stand: &Stand) {
    let damaged = stand.quarantined("a", "one").await;
    stand.clock.advance(GRACE);
    let finish = stand.repairing(damaged).await;
    assert_eq!(stand.sweep().await, 1);
    assert!(stand.repair(&finish).await);
    assert_eq!(stand.held("a", damaged.digest).await, None);
    stand.clock.advance(GRACE);
    stand.garbage.condemn_blobs(GRACE, 10).await.unwrap();
    assert_eq!(stand.garbage.condemned_blobs(None, 10).await.unwrap(), [finish.key]);
    assert_eq!(stand.marks(damaged.digest).await, ["0 quarantined", "1 condemned"]);
    assert!(!stand.integrity.start_repair(start_repair(damaged)).await.unwrap());
}

/// Nor is one that is not quarantined, or not the current one.
pub async fn what_needs_no_repair_gets_none(stand: &Stand) {
    let sound = stand.hold("a", blob("sound")).await;
    let lost = stand.quarantined("a", "lost").await;
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[lost.digest]).await;
    let damaged = stand.quarantined("a", "one").await;
    stand.hold("b", damaged.digest).await;
    for key in [sound, lost, damaged, ObjectKey { incarnation: 7, ..damaged }] {
        assert!(!stand.integrity.start_repair(start_repair(key)).await.unwrap(), "{key}");
    }
    assert_eq!(stand.uploads().await, 0);
}

/// Whoever was first: another repair, a push, or a look that found the object sound. What was copied goes.
pub async fn a_repair_that_comes_too_late_changes_nothing(stand: &Stand) {
    let damaged = stand.quarantined("a", "one").await;
    let (one, two) = (stand.repairing(damaged).await, stand.repairing(damaged).await);
    assert_eq!((one.key.incarnation, two.key.incarnation), (1, 2));
    assert!(stand.repair(&two).await);
    assert!(!stand.repair(&one).await);
    assert_eq!(stand.held("a", damaged.digest).await, Some(two.key));
    stand.metadata.cancel_upload(one.id).await.unwrap();
    stand.clock.advance(GRACE);
    stand.garbage.condemn_blobs(GRACE, 10).await.unwrap();
    assert_eq!(stand.garbage.condemned_blobs(None, 10).await.unwrap(), [one.key]);

    let damaged = stand.quarantined("a", "pushed").await;
    let late = stand.repairing(damaged).await;
    let pushed = stand.hold("b", damaged.digest).await;
    assert!(!stand.repair(&late).await);
    assert_eq!(stand.held("a", damaged.digest).await, Some(pushed));

    let damaged = stand.quarantined("a", "sound").await;
    let late = stand.repairing(damaged).await;
    assert!(stand.integrity.note_sound(damaged).await.unwrap());
    assert!(!stand.repair(&late).await);
    assert_eq!(stand.held("a", damaged.digest).await, Some(damaged));
}

/// By the database's clock, as those of pushes do.
pub async fn repairs_expire(stand: &Stand) {
    let damaged = stand.quarantined("a", "one").await;
    let late = stand.repairing(damaged).await;
    stand.clock.advance(TIME_LIMIT);
    assert!(!stand.repair(&late).await);
    let start = start_repair(damaged);
    let id = start.id;
    assert!(stand.integrity.start_repair(start).await.unwrap());
    stand.clock.advance(LIFETIME);
    assert_eq!(stand.reserve(id, damaged.digest).await, None);
    let expired = stand.metadata.expired_uploads(10).await.unwrap();
    assert_eq!(expired.iter().filter(|upload| upload.principal == "system").count(), 2);
    assert_eq!(stand.held("a", damaged.digest).await, None);
}

/// But for a repository that is read-only by itself, which keeps what it holds.
pub async fn nothing_is_repaired_while_all_is_read_only(stand: &Stand) {
    let damaged = stand.quarantined("a", "one").await;
    let set = |scope, mode| stand.change(SetWrites { scope, mode, reason: None });
    set(WriteScope::Repository(name("a")), WriteMode::ReadOnly).await;
    let finish = stand.repairing(damaged).await;
    set(WriteScope::All, WriteMode::ReadOnly).await;
    let closed = stand.integrity.start_repair(start_repair(damaged)).await;
    assert!(matches!(closed, Err(StoreError::Closed(_))), "{closed:?}");
    let closed = stand.integrity.finish_repair(finish.clone()).await;
    assert!(matches!(closed, Err(StoreError::Closed(_))), "{closed:?}");
    set(WriteScope::All, WriteMode::Writable).await;
    assert!(stand.repair(&finish).await);
    assert_eq!(stand.held("a", damaged.digest).await, Some(finish.key));
}

/// Whatever their marks say, the latest first; and the first one, of which there need be no row.
pub async fn objects_of_a_digest_are_those_that_rows_know_of_and_the_first(stand: &Stand) {
    let digest = blob("one");
    let key = |incarnation| ObjectKey { digest, incarnation };
    let objects = async || stand.integrity.objects_of(digest).await.unwrap();
    assert_eq!(objects().await, [key(0)]);
    stand.hold("a", digest).await;
    assert_eq!(objects().await, [key(0)]);
    for (incarnation, state) in
        [(2, "marked"), (5, "condemned"), (7, "quarantined"), (9, "deleted")]
    {
        stand.mark(digest, incarnation, state).await;
    }
    stand.mark(blob("two"), 3, "condemned").await;
    assert_eq!(objects().await, [9, 7, 5, 2, 0].map(key));
    for incarnation in 10..40 {
        stand.mark(digest, incarnation, "condemned").await;
    }
    let some = objects().await;
    assert_eq!((some.len(), some[0]), (MOST_COPIES, key(39)));
    assert_eq!(some.last(), Some(&key(0)));
}
