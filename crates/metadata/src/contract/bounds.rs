//! Rules of what is more than one transaction takes on: refused whole, with what to do instead; and what is much, and done at once.

use wharf_core::StoreError;
use wharf_core::metadata::{
    Change, ChangeRequest, CommitOutcome, DeleteOutcome, DeleteRepository, ListDeleted, MOST_MOVED,
    MOST_NEEDED, MOST_TAGS, MOST_TAGS_LISTED, PinOutcome, PinTarget, Precondition,
    RenameRepository, RepositoryDeletion, RestoreOutcome, TooMuch,
};
use wharf_oci::Digest;

use super::pins::{pin, unpin};
use super::restoring::{GRACE, restored};
use super::samples::{blob, commit, deletion, image, index, name};
use super::stand::Stand;
use super::usage::user;

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> TooMuch {
    match result {
        Err(StoreError::TooMuch(too_much)) => *too_much,
        other => panic!("{other:?} is no refusal"),
    }
}

/// Pushes an image with so many tags at once.
async fn tagged(stand: &Stand, count: usize) -> Digest {
    stand.hold("a", blob("one")).await;
    let mut push = commit("a", &image(&[blob("one")]), &[]);
    push.tags = (0..count).map(|number| format!("t{number:05}").parse().unwrap()).collect();
    let digest = push.digest;
    assert_eq!(stand.commit(push).await, CommitOutcome::Committed);
    digest
}

/// With the history and the events of each, and all of it comes back as it was.
pub async fn a_manifest_with_as_many_tags_as_may_be_is_deleted_at_once(stand: &Stand) {
    let manifest = tagged(stand, MOST_TAGS).await;
    let tags = "SELECT name, manifest_digest FROM tags ORDER BY name";
    let before = stand.rows(tags, &[]).await;
    assert_eq!(before.len(), MOST_TAGS);
    assert_eq!(stand.delete("a", manifest, Precondition::None).await, DeleteOutcome::Deleted);
    assert!(stand.rows(tags, &[]).await.is_empty());
    for counted in [
        "SELECT count(*) FROM tag_history WHERE version = 2 AND action = 'delete'",
        "SELECT count(*) FROM events WHERE kind = 'tag.deleted'",
    ] {
        assert_eq!(stand.rows(counted, &[]).await, [MOST_TAGS.to_string()]);
    }
    let query = ListDeleted { repository: name("a"), grace: GRACE, after: None, limit: 10 };
    let trash = stand.trash.list_deleted(query).await.unwrap().unwrap();
    assert_eq!(trash[0].tags.len(), MOST_TAGS_LISTED, "no list has all of them");
    match stand.restore("a", manifest).await {
        RestoreOutcome::Restored { tags, .. } => assert_eq!(tags.len(), MOST_TAGS),
        other => panic!("{other:?}"),
    }
    assert_eq!(stand.rows(tags, &[]).await, before);
    let told = "SELECT max(length(detail)) FROM audit_log";
    let longest: usize = stand.rows(told, &[]).await[0].parse().unwrap();
    assert!(longest < 1000, "no record names all of them: {longest}");
    let versions = "SELECT DISTINCT version FROM tags";
    assert_eq!(stand.rows(versions, &[]).await, ["3"], "they go on");
}

/// One more: nothing is changed, and it goes once there are fewer.
pub async fn a_manifest_with_more_tags_is_deleted_after_some_of_them(stand: &Stand) {
    let manifest = tagged(stand, MOST_TAGS + 1).await;
    let before = stand.everything().await;
    let outcome = stand.metadata.delete_manifest(deletion("a", manifest)).await;
    let told = refused(outcome);
    assert_eq!(told, TooMuch::TagsAt(manifest));
    assert!(told.to_string().contains("delete or move tags first"), "{told}");
    assert_eq!(stand.everything().await, before);
    stand.delete_tag("a", "t00000", Precondition::None).await;
    assert_eq!(stand.delete("a", manifest, Precondition::None).await, DeleteOutcome::Deleted);
}

/// SQL that makes a digest of its own of each number `i`.
async fn digest_of_i(stand: &Stand) -> &'static str {
    if stand.is_refused("DELETE FROM tags WHERE printf('%d', 1) = ''").await {
        "decode('01', 'hex') || convert_to(lpad(i::text, 32, '0'), 'UTF8')"
    } else {
        "CAST(x'01' || printf('%032d', i) AS BLOB)"
    }
}

/// What is below its children counts.
pub async fn an_index_that_needs_too_many_manifests_is_refused(stand: &Stand) {
    let child = stand.push("a", "one", &[]).await;
    let digest = digest_of_i(stand).await;
    let many = format!(
        "INSERT INTO manifest_references (parent, child)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST_NEEDED})
         SELECT m.digest, {digest} FROM manifests m, n"
    );
    stand.rows(&many, &[]).await;
    let push = commit("a", &index(&[child]), &["t"]);
    let outcome = stand.metadata.commit_manifest(push.clone()).await;
    assert_eq!(refused(outcome), TooMuch::Needed(push.digest));
    assert_eq!(stand.tag("a", "t").await, None);
    // As many as may be are looked for.
    let last = format!(
        "DELETE FROM manifest_references WHERE child =
             (SELECT {digest} FROM (SELECT {MOST_NEEDED} AS i) n)"
    );
    stand.rows(&last, &[]).await;
    let CommitOutcome::Missing(missing) = stand.commit(push).await else { panic!("not missing") };
    assert_eq!(missing.len(), MOST_NEEDED - 1);
}

/// What is pushed at the limit is held and brought back at it.
pub async fn an_index_that_needs_as_many_manifests_as_may_be_is_pinned_and_restored(stand: &Stand) {
    let child = stand.push("a", "one", &[]).await;
    let digest = digest_of_i(stand).await;
    let below = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST_NEEDED} - 1)
         SELECT"
    );
    for many in [
        format!(
            "INSERT INTO manifests (digest, media_type, annotations, size, payload, created_at) {below}
             {digest}, m.media_type, m.annotations, m.size, m.payload, m.created_at FROM manifests m, n"
        ),
        format!(
            "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at) {below}
             h.repository_id, {digest}, h.pushed_by, h.pushed_at FROM repository_manifests h, n"
        ),
        format!(
            "INSERT INTO manifest_references (parent, child) {below} h.digest, {digest}
             FROM repository_manifests h, n WHERE h.digest = $1"
        ),
    ] {
        let digests = if many.contains("$1") { vec![child] } else { Vec::new() };
        stand.rows(&many, &digests).await;
    }
    // Then the engine knows that nearly all there is belongs to one index, as it is in a small registry.
    stand.rows("ANALYZE", &[]).await;
    let full = stand.put("a", &index(&[child]), &["t"]).await;
    let pin = pin("keep", PinTarget::Digest(full), None);
    let pinned = stand.metadata.pin_manifest(pin).await.unwrap();
    assert!(matches!(pinned, PinOutcome::Pinned { .. }), "{pinned:?}");
    assert!(unpin(stand, "keep").await);
    assert_eq!(stand.delete("a", full, Precondition::None).await, DeleteOutcome::Deleted);
    assert_eq!(stand.restore("a", full).await, restored(full, &["t"], 1));
}

/// Neither deleted nor moved elsewhere; under another name of its namespace it needs no bound.
pub async fn a_repository_with_too_many_blobs_stays_in_its_namespace(stand: &Stand) {
    for namespace in ["team", "other"] {
        user(stand, namespace).await;
    }
    stand.push("team/app", "one", &["t"]).await;
    let digest = digest_of_i(stand).await;
    let many = format!(
        "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, size, charge)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST_MOVED})
         SELECT r.id, {digest}, 1, 1, 1 FROM repositories r, n"
    );
    stand.rows(&many, &[]).await;
    let rows = "SELECT name FROM repositories";
    let deletion = || DeleteRepository { repository: name("team/app"), by: "bob".into() };
    let told = refused(stand.metadata.delete_repository(deletion()).await);
    assert_eq!(told, TooMuch::Blobs { name: name("team/app"), blobs: MOST_MOVED + 1 });
    let rename = |to: &str| RenameRepository { from: name("team/app"), to: name(to) };
    let asked =
        ChangeRequest { change: rename("other/app").into(), by: "user:ada".into(), once: None };
    refused(stand.accounts.change(asked).await);
    assert_eq!(stand.rows(rows, &[]).await, ["team/app"]);
    assert_eq!(stand.change(rename("team/new")).await, Change::Done);
    // As many as may be go.
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[blob("one")]).await;
    let deletion = DeleteRepository { repository: name("team/new"), by: "bob".into() };
    let outcome = stand.metadata.delete_repository(deletion).await.unwrap();
    assert_eq!(outcome, RepositoryDeletion::Deleted);
}
