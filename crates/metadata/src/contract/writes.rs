//! Rules of read-only mode and draining: what is refused, what goes on, and when a drain ends.

use wharf_core::StoreError;
use wharf_core::metadata::{
    Change, CommitManifest, CommitOutcome, DeleteManifest, DeleteTag, FinishOutcome, FinishUpload,
    MountBlob, Precondition, Refusal, RemoveBlob, RenameRepository, SetWrites, WriteState,
};
use wharf_core::permissions::Sources;
use wharf_core::writes::{Closed, PUSH_PAUSE, WriteMode, WriteScope};

use super::samples::{blob, commit, image, name};
use super::stand::{LIFETIME, Stand, TICK, start_by};

fn one(repository: &str) -> WriteScope {
    WriteScope::Repository(name(repository))
}

async fn set(stand: &Stand, scope: WriteScope, mode: WriteMode) -> Change {
    let reason = Some("moving".parse().unwrap());
    stand.change(SetWrites { scope, mode, reason }).await
}

async fn state(stand: &Stand, scope: WriteScope) -> WriteState {
    stand.writes.write_state(scope).await.unwrap().unwrap()
}

/// What was refused, by which scope and how.
fn refused<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> (WriteScope, WriteMode) {
    match outcome {
        Err(StoreError::Closed(closed)) => {
            let Closed { scope, mode, reason } = *closed;
            assert_eq!(reason.unwrap().as_str(), "moving");
            (scope, mode)
        }
        other => panic!("{other:?} was not refused"),
    }
}

fn push(repository: &str, text: &str, by: &str) -> CommitManifest {
    CommitManifest { by: by.into(), ..commit(repository, &image(&[blob(text)]), &["latest"]) }
}

/// Whatever may be closed, and repositories that it is about.
fn scopes() -> [WriteScope; 2] {
    [one("a"), WriteScope::All]
}

/// Each kind of change; pulls are answered as before.
pub async fn what_is_read_only_is_not_changed(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.hold("b", blob("two")).await;
    let id = stand.start("a").await;
    let key = stand.reserve(id, blob("three")).await.unwrap();
    for scope in scopes() {
        assert_eq!(set(stand, scope.clone(), WriteMode::ReadOnly).await, Change::Done);
        let before = stand.everything().await;
        let expected = || (scope.clone(), WriteMode::ReadOnly);
        let metadata = &stand.metadata;
        let (repository, by) = (name("a"), || "bob".into());
        let start = metadata.start_upload(start_by("a", "bob"));
        assert_eq!(refused(start.await), expected());
        assert_eq!(refused(metadata.resume_upload(name("a"), id).await), expected());
        assert_eq!(
            refused(metadata.finish_upload(FinishUpload { id, key, size: 0 }).await),
            expected()
        );
        let from = Some(name("b"));
        let (digest_two, sources) = (blob("two"), Sources::Any);
        let mount = MountBlob { repository: repository.clone(), digest: digest_two, from, sources };
        assert_eq!(refused(metadata.mount_blob(mount).await), expected());
        assert_eq!(refused(metadata.commit_manifest(push("a", "one", "bob")).await), expected());
        let deletion = DeleteTag {
            repository: repository.clone(),
            tag: "latest".parse().unwrap(),
            precondition: Precondition::None,
            by: by(),
            dropped_by: None,
        };
        assert_eq!(refused(metadata.delete_tag(deletion).await), expected());
        let precondition = Precondition::None;
        let deletion =
            DeleteManifest { repository: repository.clone(), digest, precondition, by: by() };
        assert_eq!(refused(metadata.delete_manifest(deletion).await), expected());
        let removal = RemoveBlob { repository: repository.clone(), digest: blob("one"), by: by() };
        assert_eq!(refused(metadata.remove_blob(removal).await), expected());
        let rename = RenameRepository { from: repository, to: name("team/c") };
        assert_eq!(stand.change(rename).await, Change::Refused(Refusal::ReadOnly));
        let closed = stand.writes.closed(one("a")).await.unwrap().unwrap();
        assert_eq!((closed.scope, closed.mode), expected());
        assert_eq!(stand.everything().await, before);
        assert_eq!(stand.tag("a", "latest").await, Some(digest));
        assert!(stand.held("a", blob("one")).await.is_some());
        assert!(metadata.find_upload(name("a"), id).await.unwrap().is_some());
        assert_eq!(set(stand, scope, WriteMode::Writable).await, Change::Done);
        assert_eq!(stand.writes.closed(one("a")).await.unwrap(), None);
    }
    // What was kept goes on.
    assert!(stand.finish(id, key).await);
}

/// One repository that is read-only closes no other, nor keeps any from being made; all together do.
pub async fn a_repository_is_closed_alone(stand: &Stand) {
    stand.push("a", "one", &["latest"]).await;
    assert_eq!(set(stand, one("a"), WriteMode::ReadOnly).await, Change::Done);
    stand.push("b", "one", &["latest"]).await;
    assert_eq!(stand.writes.closed(WriteScope::All).await.unwrap(), None);
    assert_eq!(set(stand, WriteScope::All, WriteMode::ReadOnly).await, Change::Done);
    let start = stand.metadata.start_upload(start_by("new", "bob")).await;
    assert_eq!(refused(start), (WriteScope::All, WriteMode::ReadOnly));
    assert_eq!(stand.rows("SELECT name FROM repositories ORDER BY name", &[]).await, ["a", "b"]);
    assert_eq!(set(stand, one("new"), WriteMode::ReadOnly).await, Change::NotFound);
    assert_eq!(stand.writes.write_state(one("new")).await.unwrap(), None);
}

/// Its principal begins more uploads and ends with a manifest; others begin nothing, and delete nothing.
pub async fn a_push_under_way_finishes_while_it_is_drained(stand: &Stand) {
    stand.hold("a", blob("old")).await;
    for scope in scopes() {
        let text = scope.to_string();
        let (id, digest) = (stand.start("a").await, blob(&text));
        assert_eq!(set(stand, scope.clone(), WriteMode::Draining).await, Change::Done);
        let expected = || (scope.clone(), WriteMode::Draining);
        let stranger = stand.metadata.start_upload(start_by("a", "bob")).await;
        assert_eq!(refused(stranger), expected());
        let stranger = stand.metadata.commit_manifest(push("a", "old", "bob")).await;
        assert_eq!(refused(stranger), expected());
        assert!(stand.metadata.resume_upload(name("a"), id).await.unwrap().is_some());
        let key = stand.reserve(id, digest).await.unwrap();
        assert!(stand.finish(id, key).await);
        stand.clock.advance(PUSH_PAUSE - TICK);
        let more = stand.start("a").await;
        // However long it takes.
        stand.clock.advance(LIFETIME - TICK);
        let key = stand.reserve(more, digest).await.unwrap();
        assert!(stand.finish(more, key).await);
        let last = push("a", &text, "alice");
        assert_eq!(stand.commit(last).await, CommitOutcome::Committed);
        // Whatever could be a part of the push, and is none.
        let removal = RemoveBlob { repository: name("a"), digest: blob("old"), by: "alice".into() };
        assert_eq!(refused(stand.metadata.remove_blob(removal).await), expected());
        stand.clock.advance(PUSH_PAUSE);
        let over = stand.metadata.commit_manifest(push("a", "old", "alice")).await;
        assert_eq!(refused(over), expected());
        assert_eq!(set(stand, scope, WriteMode::Writable).await, Change::Done);
    }
}

/// A mount is answered as if there was no source, so that a push that may finish sends the blob instead.
pub async fn a_mount_becomes_an_upload_while_it_is_drained(stand: &Stand) {
    stand.hold("b", blob("one")).await;
    stand.start("a").await;
    assert_eq!(set(stand, one("a"), WriteMode::Draining).await, Change::Done);
    let (from, sources) = (Some(name("b")), Sources::Any);
    let mount = MountBlob { repository: name("a"), digest: blob("one"), from, sources };
    assert!(!stand.metadata.mount_blob(mount).await.unwrap());
    assert_eq!(stand.held("a", blob("one")).await, None);
    stand.start("a").await;
}

/// With the last upload and the pause behind it; an upload that nobody goes on with until it expires.
pub async fn a_drain_ends_when_no_push_is_left(stand: &Stand) {
    for scope in scopes() {
        let id = stand.start("a").await;
        assert_eq!(set(stand, scope.clone(), WriteMode::Draining).await, Change::Done);
        let WriteState { mode, uploads, pushes, reason, .. } = state(stand, scope.clone()).await;
        assert_eq!((mode, uploads, pushes), (WriteMode::Draining, 1, 1));
        assert_eq!(reason.unwrap().as_str(), "moving");
        assert_eq!(stand.writes.end_drains().await.unwrap(), 0);
        stand.clock.advance(PUSH_PAUSE);
        assert_eq!(state(stand, scope.clone()).await.pushes, 0);
        // Its upload is open still.
        assert_eq!(stand.writes.end_drains().await.unwrap(), 0);
        let key = stand.reserve(id, blob("one")).await.unwrap();
        let finish = FinishUpload { id, key, size: 0 };
        let finished = stand.metadata.finish_upload(finish).await.unwrap();
        assert_eq!(finished, FinishOutcome::Finished);
        let WriteState { uploads, pushes, .. } = state(stand, scope.clone()).await;
        assert_eq!((uploads, pushes), (0, 1));
        assert_eq!(stand.writes.end_drains().await.unwrap(), 0);
        stand.clock.advance(PUSH_PAUSE);
        assert_eq!(stand.writes.end_drains().await.unwrap(), 1);
        assert_eq!(stand.writes.end_drains().await.unwrap(), 0);
        let WriteState { mode, reason, .. } = state(stand, scope.clone()).await;
        assert_eq!((mode, reason.unwrap().as_str()), (WriteMode::ReadOnly, "moving"));
        let drain = set(stand, scope.clone(), WriteMode::Draining).await;
        assert!(matches!(drain, Change::Refused(Refusal::NothingToDrain(_))));
        let left = stand.rows("SELECT principal FROM pushes_under_way", &[]).await;
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(set(stand, scope, WriteMode::Writable).await, Change::Done);
    }
}

/// It is no push, and goes on where the repository is read-only; all together wait for its bytes.
pub async fn a_drain_of_a_repository_waits_for_no_repair(stand: &Stand) {
    let damaged = stand.quarantined("a", "one").await;
    for scope in scopes() {
        let repair = stand.repairing(damaged).await;
        let waits_for = u64::from(scope == WriteScope::All);
        assert_eq!(set(stand, scope.clone(), WriteMode::Draining).await, Change::Done);
        let WriteState { uploads, pushes, .. } = state(stand, scope.clone()).await;
        assert_eq!((uploads, pushes), (waits_for, 0));
        assert_eq!(stand.writes.end_drains().await.unwrap(), 1 - waits_for);
        stand.metadata.cancel_upload(repair.id).await.unwrap();
        assert_eq!(stand.writes.end_drains().await.unwrap(), waits_for);
        assert_eq!(set(stand, scope, WriteMode::Writable).await, Change::Done);
    }
}

/// Also where it ends by itself. What stands so already is no change and makes no event.
pub async fn what_may_be_written_is_told(stand: &Stand) {
    stand.hold("a", blob("one")).await;
    for mode in [WriteMode::Draining, WriteMode::Draining] {
        assert_eq!(set(stand, one("a"), mode).await, Change::Done);
    }
    stand.clock.advance(PUSH_PAUSE);
    assert_eq!(stand.writes.end_drains().await.unwrap(), 1);
    assert_eq!(set(stand, one("a"), WriteMode::Writable).await, Change::Done);
    let events = stand.rows("SELECT kind FROM events ORDER BY id", &[]).await;
    assert_eq!(events, ["repository.draining", "repository.read_only", "repository.writable"]);
    assert_eq!(set(stand, WriteScope::All, WriteMode::ReadOnly).await, Change::Done);
    let sql = "SELECT by, target, detail FROM audit_log WHERE action = 'writes.set' ORDER BY id";
    let records = stand.rows(sql, &[]).await;
    let drain = "user:ada repository:a mode=draining reason=moving";
    assert_eq!(
        records,
        [
            drain,
            drain,
            "system repository:a mode=read-only reason=moving",
            "user:ada repository:a mode=writable reason=moving",
            "user:ada site mode=read-only reason=moving",
        ]
    );
}

/// What is stricter holds: a push that a drained repository would let finish is refused where all is read-only.
pub async fn the_stricter_of_two_modes_holds(stand: &Stand) {
    let id = stand.start("a").await;
    assert_eq!(set(stand, one("a"), WriteMode::Draining).await, Change::Done);
    assert_eq!(set(stand, WriteScope::All, WriteMode::ReadOnly).await, Change::Done);
    let all = || (WriteScope::All, WriteMode::ReadOnly);
    assert_eq!(refused(stand.metadata.resume_upload(name("a"), id).await), all());
    let key = stand.reserve(id, blob("one")).await.unwrap();
    assert_eq!(
        refused(stand.metadata.finish_upload(FinishUpload { id, key, size: 0 }).await),
        all()
    );
    assert_eq!(set(stand, WriteScope::All, WriteMode::Writable).await, Change::Done);
    assert!(stand.finish(id, key).await);
}
