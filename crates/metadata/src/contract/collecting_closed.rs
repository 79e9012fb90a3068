//! Rules of garbage collection where nothing may be written: what is read-only or drained is left alone.

use std::fmt::Debug;
use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::metadata::{Change, Judged, ManifestRules, SetWrites};
use wharf_core::writes::{WriteMode, WriteScope};

use super::garbage::GRACE;
use super::samples::{blob, name};
use super::stand::Stand;

/// Rules by which what has no tag goes as well.
const TIDY: ManifestRules = ManifestRules { grace: GRACE, untagged_after: Some(GRACE) };

/// What of the repository `a` could be collected.
const OF_A: [&str; 3] = [
    "SELECT blob_digest FROM repository_blobs h JOIN repositories r ON r.id = h.repository_id
     WHERE r.name = 'a' ORDER BY blob_digest",
    "SELECT digest FROM repository_manifests h JOIN repositories r ON r.id = h.repository_id
     WHERE r.name = 'a' ORDER BY digest",
    "SELECT digest FROM deleted_manifests d JOIN repositories r ON r.id = d.repository_id
     WHERE r.name = 'a' ORDER BY digest",
];

impl Stand {
    async fn set_writes(&self, scope: WriteScope, mode: WriteMode) {
        assert_eq!(self.change(SetWrites { scope, mode, reason: None }).await, Change::Done);
    }

    /// Leaves a blob that nothing needs in a repository, a deleted manifest, and one without a tag.
    async fn litter(&self, repository: &str, text: &str) {
        self.hold(repository, blob(text)).await;
        let deleted = self.push(repository, &format!("{text}, deleted"), &[]).await;
        self.remove(repository, deleted).await;
        self.push(repository, &format!("{text}, without a tag"), &[]).await;
    }

    async fn all_rows(&self, queries: &[&str]) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for sql in queries {
            all.push(self.rows(sql, &[]).await);
        }
        all
    }
}

fn assert_closed<T: Debug>(outcome: Result<T, StoreError>, mode: WriteMode) {
    match outcome {
        Err(StoreError::Closed(closed)) => {
            assert_eq!((closed.scope, closed.mode), (WriteScope::All, mode));
        }
        other => panic!("{other:?} was not refused"),
    }
}

/// One repository is passed over, and others are not; where it is all of them, no step is taken, and the next run does all that there was to do.
pub async fn what_is_read_only_is_not_collected(stand: &Stand) {
    let garbage = &stand.garbage;
    stand.litter("a", "a").await;
    for mode in [WriteMode::Draining, WriteMode::ReadOnly] {
        stand.litter("b", mode.name()).await;
        stand.clock.advance(GRACE * 2);
        stand.set_writes(WriteScope::Repository(name("a")), mode).await;
        let before = stand.all_rows(&OF_A).await;
        assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 1]);
        let swept = garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
        assert!(swept.count >= 2 && swept.repositories == [name("b")], "{mode}: {swept:?}");
        assert!(garbage.empty_trash(TIDY, 100).await.unwrap().count > 0, "{mode}");
        let taken = garbage.collect_manifests(None, TIDY, 100).await.unwrap();
        assert_eq!((taken.count, taken.repositories), (1, vec![name("b")]), "{mode}");
        assert_eq!(stand.all_rows(&OF_A).await, before, "{mode}");
        stand.set_writes(WriteScope::Repository(name("a")), WriteMode::Writable).await;
    }
    stand.push("team/gone", "gone", &["t"]).await;
    stand.throw_away_all("team/gone").await;
    stand.mark(blob("marked"), 0, "marked").await;
    stand.mark(blob("condemned"), 0, "condemned").await;
    stand.mark(blob("deleted"), 0, "deleted").await;
    stand.clock.advance(GRACE);
    for mode in [WriteMode::Draining, WriteMode::ReadOnly] {
        stand.set_writes(WriteScope::All, mode).await;
        let marks = ["SELECT digest, state, marked_at FROM blob_marks ORDER BY digest"];
        let before =
            (stand.everything().await, stand.all_rows(&OF_A).await, stand.all_rows(&marks).await);
        assert_closed(garbage.sweep_memberships(None, GRACE, 100).await, mode);
        assert_closed(garbage.empty_trash(TIDY, 100).await, mode);
        assert_closed(garbage.purge_repositories(GRACE, 100).await, mode);
        assert_closed(garbage.collect_manifests(None, TIDY, 100).await, mode);
        assert_closed(garbage.condemn_blobs(GRACE, 100).await, mode);
        assert_closed(garbage.condemned_blobs(None, 100).await, mode);
        assert_closed(garbage.forget_deleted(Duration::ZERO, 100).await, mode);
        let after =
            (stand.everything().await, stand.all_rows(&OF_A).await, stand.all_rows(&marks).await);
        assert_eq!(after, before, "{mode}");
        stand.set_writes(WriteScope::All, WriteMode::Writable).await;
    }
    assert!(garbage.empty_trash(TIDY, 100).await.unwrap().count > 0);
    assert_eq!(stand.purge(100).await.1, 1);
    assert!(garbage.sweep_memberships(None, GRACE, 100).await.unwrap().count > 0);
    assert!(garbage.collect_manifests(None, TIDY, 100).await.unwrap().count > 0);
    let Judged { condemned, .. } = garbage.condemn_blobs(GRACE, 100).await.unwrap();
    assert!(condemned > 0);
    assert!(!garbage.condemned_blobs(None, 100).await.unwrap().is_empty());
    assert_eq!(garbage.forget_deleted(Duration::ZERO, 100).await.unwrap(), 1);
}

/// An object of which the delete was sent before is gone, and that is written down.
pub async fn what_was_deleted_before_is_confirmed_while_all_is_read_only(stand: &Stand) {
    let digest = blob("one");
    stand.mark(digest, 0, "condemned").await;
    let keys = stand.garbage.condemned_blobs(None, 100).await.unwrap();
    stand.set_writes(WriteScope::All, WriteMode::ReadOnly).await;
    assert_eq!(stand.garbage.confirm_deleted(keys).await.unwrap(), 1);
    assert_eq!(stand.marks(digest).await, ["0 deleted"]);
}
