//! Usage: what is held is counted exactly, whatever changes it.

use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::UploadId;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    BlobSize, Change, CommitOutcome, Counted, FinishOutcome, FinishUpload, HoldUpload, Meter,
    NewUser, OverQuota, Precondition, Quota, RenameRepository, Restore, Scope, ScopeKind,
    SetNamespaceQuota, SetRepositoryQuota, StoredCount, Usage,
};
use wharf_oci::{Digest, Reference};

use super::samples::{blob, commit, image, name};
use super::stand::{LIFETIME, Stand};

/// Limits on bytes alone.
pub(crate) const fn bytes(limit: u64) -> Quota {
    Quota { bytes: Some(limit), manifests: None, tags: None }
}

pub(crate) fn namespace(text: &str) -> Scope {
    Scope::Namespace(text.parse().unwrap())
}

pub(crate) async fn user(stand: &Stand, text: &str) {
    let name = text.parse().unwrap();
    let user = NewUser { name, email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(user).await, Change::Done);
}

pub(crate) async fn usage(stand: &Stand, scope: Scope) -> Usage {
    stand.usage.find_usage(scope).await.unwrap().unwrap().usage
}

pub(crate) async fn of(stand: &Stand, repository: &str) -> Usage {
    usage(stand, Scope::Repository(name(repository))).await
}

pub(crate) async fn limit(stand: &Stand, namespace: &str, quota: Quota) -> Change {
    let namespace = namespace.parse().unwrap();
    stand.change(SetNamespaceQuota { namespace, quota, expected: None }).await
}

pub(crate) async fn limit_repository(stand: &Stand, repository: &str, quota: Quota) -> Change {
    let repository = name(repository);
    let namespace = repository.namespace().parse().unwrap();
    stand.change(SetRepositoryQuota { repository, namespace, quota, expected: None }).await
}

/// Uploads a blob of a size, which only pretends to have it.
pub(crate) async fn upload(
    stand: &Stand,
    repository: &str,
    digest: Digest,
    size: u64,
) -> Result<(), StoreError> {
    let (id, key) = begun(stand, repository, digest).await;
    stand.metadata.finish_upload(FinishUpload { id, key, size }).await.map(drop)
}

pub(crate) async fn begun(
    stand: &Stand,
    repository: &str,
    digest: Digest,
) -> (UploadId, ObjectKey) {
    let id = stand.start(repository).await;
    (id, stand.reserve(id, digest).await.unwrap())
}

/// Pushes an image of blobs with their sizes. Returns it, and how many bytes its manifest has.
pub(crate) async fn push(
    stand: &Stand,
    repository: &str,
    blobs: &[(&str, u64)],
    tags: &[&str],
) -> Result<(Digest, u64), StoreError> {
    for (text, size) in blobs {
        upload(stand, repository, blob(text), *size).await?;
    }
    let digests: Vec<_> = blobs.iter().map(|(text, _)| blob(text)).collect();
    let commit = commit(repository, &image(&digests), tags);
    let (digest, own) = (commit.digest, commit.payload.len() as u64);
    let outcome = stand.metadata.commit_manifest(commit).await?;
    assert_eq!(outcome, CommitOutcome::Committed);
    Ok((digest, own))
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> OverQuota {
    match result {
        Err(StoreError::OverQuota(over)) => *over,
        other => panic!("{other:?} is no refusal"),
    }
}

/// A count of all scopes of a kind.
async fn counted(stand: &Stand, kind: ScopeKind) -> Counted {
    stand.usage.count_scopes(kind, None, 100).await.unwrap()
}

/// All rows together say what the counters say.
pub(crate) async fn is_counted_right(stand: &Stand) {
    for kind in [ScopeKind::Repositories, ScopeKind::Namespaces] {
        let counted = counted(stand, kind).await;
        assert!(counted.drifts.is_empty(), "{counted:?}");
        assert!(counted.scopes > 0);
        assert_eq!(counted.next, None);
    }
    let unfinished = "SELECT count(*) FROM usage_scopes WHERE counted_at IS NULL";
    assert_eq!(stand.rows(unfinished, &[]).await, ["0"], "counted from the beginning on");
}

/// Twice named is referenced twice, and held once.
pub async fn what_pushes_hold_is_counted(stand: &Stand) {
    let (_, one) = push(stand, "team/app", &[("c1", 10), ("base", 1000)], &["v1"]).await.unwrap();
    let (_, two) =
        push(stand, "team/app", &[("c2", 20), ("base", 1000)], &["v2", "latest"]).await.unwrap();
    let expected = Usage {
        referenced: 2030 + one + two,
        bytes: 1030 + one + two,
        reserved: 0,
        manifests: 2,
        tags: 3,
    };
    assert_eq!(of(stand, "team/app").await, expected);
    assert_eq!(usage(stand, namespace("team")).await, expected);
    // The same again is no more.
    push(stand, "team/app", &[("c1", 10), ("base", 1000)], &["v1"]).await.unwrap();
    assert_eq!(of(stand, "team/app").await, expected);
    // A tag moves, and another goes.
    push(stand, "team/app", &[("c1", 10), ("base", 1000)], &["latest"]).await.unwrap();
    stand.delete_tag("team/app", "v2", Precondition::None).await;
    assert_eq!(of(stand, "team/app").await, Usage { tags: 2, ..expected });
    is_counted_right(stand).await;
}

/// However many of its repositories hold it.
pub async fn a_namespace_holds_each_blob_once(stand: &Stand) {
    let (first, one) = push(stand, "team/a", &[("c1", 10), ("base", 1000)], &["t"]).await.unwrap();
    let (_, two) = push(stand, "team/b", &[("c2", 20), ("base", 1000)], &["t"]).await.unwrap();
    push(stand, "other/b", &[("base", 1000)], &["t"]).await.unwrap();
    let both = usage(stand, namespace("team")).await;
    assert_eq!(both.bytes, 1030 + one + two);
    assert_eq!(both.referenced, 2030 + one + two);
    assert_eq!((both.manifests, both.tags), (2, 2));
    // What is gone from one is still held by the other.
    stand.delete("team/a", first, Precondition::None).await;
    assert_eq!(of(stand, "team/a").await, Usage::default());
    assert_eq!(usage(stand, namespace("team")).await.bytes, 1020 + two);
    is_counted_right(stand).await;
}

/// Though its blobs stay until the grace is over.
pub async fn what_is_deleted_is_free_at_once_and_charged_when_it_is_pushed_again(stand: &Stand) {
    let (digest, own) = push(stand, "team/app", &[("c", 10), ("l", 90)], &["t"]).await.unwrap();
    let full = of(stand, "team/app").await;
    stand.delete("team/app", digest, Precondition::None).await;
    assert_eq!(of(stand, "team/app").await, Usage::default());
    assert_eq!(usage(stand, namespace("team")).await, Usage::default());
    limit_repository(stand, "team/app", bytes(99 + own)).await;
    // The blobs are still held, as the manifest may be brought back: it needs room for them.
    let again = commit("team/app", &image(&[blob("c"), blob("l")]), &["t"]);
    let over = refused(stand.metadata.commit_manifest(again.clone()).await);
    assert_eq!((over.meter, over.used, over.needed), (Meter::Bytes, 0, 100 + own));
    limit_repository(stand, "team/app", bytes(100 + own)).await;
    assert_eq!(stand.commit(again).await, CommitOutcome::Committed);
    assert_eq!(of(stand, "team/app").await, full);
    is_counted_right(stand).await;
}

/// What comes back is charged, with its blobs, as often as it goes and comes back; and only where there is room.
pub async fn what_is_restored_is_charged_again(stand: &Stand) {
    user(stand, "team").await;
    let (image, own) =
        push(stand, "team/app", &[("c", 10), ("base", 1000)], &["v1"]).await.unwrap();
    let held = (of(stand, "team/app").await, usage(stand, namespace("team")).await);
    assert_eq!(held.0.bytes, 1010 + own);
    let restore = || {
        stand.trash.restore(Restore {
            repository: name("team/app"),
            what: Reference::Digest(image),
            grace: Duration::from_secs(3600),
            by: "carol".into(),
        })
    };
    for _ in 0..2 {
        stand.delete("team/app", image, Precondition::None).await;
        assert_eq!(of(stand, "team/app").await.bytes, 0);
        restore().await.unwrap();
        assert_eq!((of(stand, "team/app").await, usage(stand, namespace("team")).await), held);
        is_counted_right(stand).await;
    }
    stand.delete("team/app", image, Precondition::None).await;
    limit(stand, "team", bytes(1009 + own)).await;
    assert_eq!(refused(restore().await).needed, 1010 + own);
    assert_eq!(of(stand, "team/app").await.bytes, 0);
    is_counted_right(stand).await;
}

/// A push that lacks something is charged with nothing, and lets nothing pass when what it lacked is there.
pub async fn what_is_refused_for_what_it_lacks_is_not_charged(stand: &Stand) {
    user(stand, "team").await;
    for (text, size) in [("c", 10), ("base", 1000)] {
        upload(stand, "team/app", blob(text), size).await.unwrap();
    }
    let before = of(stand, "team/app").await;
    let lacking = commit("team/app", &image(&[blob("c"), blob("base"), blob("late")]), &[]);
    let outcome = stand.commit(lacking.clone()).await;
    assert_eq!(outcome, CommitOutcome::Missing(vec![blob("late")]));
    assert_eq!(of(stand, "team/app").await, before);
    upload(stand, "team/app", blob("late"), 5).await.unwrap();
    let own = lacking.payload.len() as u64;
    assert_eq!(stand.commit(lacking).await, CommitOutcome::Committed);
    let held = of(stand, "team/app").await;
    assert_eq!((held.bytes, held.reserved), (1015 + own, 0));
    is_counted_right(stand).await;
}

/// Where that has room for it.
pub async fn a_repository_takes_its_usage_to_another_namespace(stand: &Stand) {
    user(stand, "team").await;
    user(stand, "other").await;
    let (_, own) = push(stand, "team/app", &[("a", 100), ("base", 1000)], &["t"]).await.unwrap();
    push(stand, "team/rest", &[("base", 1000)], &["t"]).await.unwrap();
    upload(stand, "team/app", blob("pending"), 7).await.unwrap();
    let before = of(stand, "team/app").await;
    let rename = || RenameRepository { from: name("team/app"), to: name("other/app") };
    limit(stand, "other", bytes(1106 + own)).await;
    let request = wharf_core::metadata::ChangeRequest {
        change: rename().into(),
        by: "user:ada".into(),
        once: None,
    };
    let over = refused(stand.accounts.change(request).await);
    assert_eq!((over.scope, over.needed), (namespace("other"), 1107 + own));
    limit(stand, "other", bytes(1107 + own)).await;
    assert_eq!(stand.change(rename()).await, Change::Done);
    assert_eq!(of(stand, "other/app").await, before);
    assert_eq!(usage(stand, namespace("other")).await, before);
    let left = usage(stand, namespace("team")).await;
    assert_eq!((left.manifests, left.tags, left.reserved), (1, 1, 0));
    assert_eq!(left, of(stand, "team/rest").await);
    is_counted_right(stand).await;
}

/// A finish that is lost ends nothing: the upload may be finished again, be cancelled or expire.
pub async fn an_upload_is_charged_until_it_ends_also_where_its_finish_was_lost(stand: &Stand) {
    let lost = async |text: &str| {
        let (id, key) = begun(stand, "team/app", blob(text)).await;
        assert!(stand.metadata.hold_upload(HoldUpload { id, bytes: 500 }).await.unwrap());
        stand.mark(blob(text), 0, "condemned").await;
        assert!(!stand.finish(id, key).await);
        id
    };
    let reserved = async || {
        is_counted_right(stand).await;
        let of_namespace = usage(stand, namespace("team")).await.reserved;
        assert_eq!(of(stand, "team/app").await.reserved, of_namespace);
        of_namespace
    };
    let (again, cancelled, expired) = (lost("a").await, lost("b").await, lost("c").await);
    assert_eq!(reserved().await, 1500);
    let key = stand.reserve(again, blob("a")).await.unwrap();
    let finish = FinishUpload { id: again, key, size: 70 };
    assert_eq!(
        stand.metadata.finish_upload(finish.clone()).await.unwrap(),
        FinishOutcome::Finished
    );
    assert_eq!(reserved().await, 1070, "the blob, and no upload any more");
    // What is over already is lost too, and holds nothing.
    assert_eq!(stand.metadata.finish_upload(finish).await.unwrap(), FinishOutcome::Lost);
    assert_eq!(reserved().await, 1070);
    assert!(stand.metadata.cancel_upload(cancelled).await.unwrap());
    assert_eq!(reserved().await, 570);
    stand.clock.advance(LIFETIME);
    assert!(!stand.finish(expired, ObjectKey { digest: blob("c"), incarnation: 1 }).await);
    assert_eq!(reserved().await, 570, "it is there until it is ended");
    for upload in stand.metadata.expired_uploads(10).await.unwrap() {
        assert!(stand.metadata.cancel_upload(upload.id).await.unwrap());
    }
    assert_eq!(reserved().await, 70);
}

/// As rows from before sizes were recorded.
pub async fn a_blob_is_charged_once_its_size_is_known(stand: &Stand) {
    let (_, own) = push(stand, "team/app", &[("a", 100), ("b", 50)], &["t"]).await.unwrap();
    let before = of(stand, "team/app").await;
    stand.rows("UPDATE repository_blobs SET size = NULL, charge = 0 WHERE size = 100", &[]).await;
    stand.rows("DELETE FROM namespace_blobs WHERE size = 100", &[]).await;
    stand.rows("UPDATE usage_shards SET bytes = bytes - 100, total = total - 100, referenced = referenced - 100", &[]).await;
    is_counted_right(stand).await;
    // A push in between does not know it either.
    push(stand, "team/app", &[("b", 50)], &["u"]).await.unwrap();
    let found = stand.usage.unsized_blobs(None, 10).await.unwrap();
    assert_eq!(found, [ObjectKey { digest: blob("a"), incarnation: 0 }]);
    let size = BlobSize { digest: blob("a"), bytes: 100 };
    assert_eq!(stand.usage.record_sizes(vec![size]).await.unwrap(), 1);
    assert_eq!(stand.usage.record_sizes(vec![size]).await.unwrap(), 0);
    let after = of(stand, "team/app").await;
    assert_eq!(after.bytes, before.bytes + after.referenced - before.referenced - 50);
    assert!(after.bytes > 150 + own);
    assert!(stand.usage.unsized_blobs(None, 10).await.unwrap().is_empty());
    is_counted_right(stand).await;
}

/// As a database from before anything was counted.
pub async fn what_was_there_before_is_counted(stand: &Stand) {
    push(stand, "team/app", &[("a", 100), ("b", 50)], &["t"]).await.unwrap();
    push(stand, "team/rest", &[("b", 50)], &["t"]).await.unwrap();
    upload(stand, "team/app", blob("gone"), 5).await.unwrap();
    let before = (of(stand, "team/app").await, usage(stand, namespace("team")).await);
    for sql in [
        "DELETE FROM namespace_blobs",
        "DELETE FROM usage_shards",
        "DELETE FROM usage_scopes WHERE repository_id > 0",
        "DELETE FROM usage_scopes",
        "UPDATE repository_blobs SET charge = 0",
    ] {
        stand.rows(sql, &[]).await;
    }
    let found = async || {
        let scope = Scope::Repository(name("team/app"));
        stand.usage.find_usage(scope).await.unwrap().unwrap()
    };
    assert!(!found().await.is_complete);
    let repositories = ScopeKind::Repositories;
    let first = stand.usage.count_scopes(repositories, None, 1).await.unwrap();
    assert!(first.drifts.is_empty(), "what was there before is no fault");
    assert!(first.next.is_some());
    stand.usage.count_scopes(repositories, first.next, 1).await.unwrap();
    counted(stand, ScopeKind::Namespaces).await;
    assert!(found().await.is_complete);
    // What no manifest needs is not charged when it is as old as that.
    let (mut app, mut team) = before;
    (app.reserved, team.reserved) = (0, 0);
    assert_eq!(of(stand, "team/app").await, app);
    assert_eq!(usage(stand, namespace("team")).await, team);
    is_counted_right(stand).await;
}

/// Whoever has made it wrong.
pub async fn a_count_corrects_what_is_wrong_and_tells(stand: &Stand) {
    push(stand, "team/app", &[("a", 100)], &["t"]).await.unwrap();
    let before = (of(stand, "team/app").await, usage(stand, namespace("team")).await);
    stand.rows("UPDATE usage_shards SET bytes = bytes + 5, tags = tags + 1", &[]).await;
    stand.rows("UPDATE namespace_blobs SET used = used + 1", &[]).await;
    let repositories = counted(stand, ScopeKind::Repositories).await;
    let [drift] = &repositories.drifts[..] else { panic!("{repositories:?}") };
    assert_eq!((drift.scope.as_str(), drift.rows), ("team/app", 1));
    assert!(drift.bytes >= 5);
    let namespaces = counted(stand, ScopeKind::Namespaces).await;
    let [drift] = &namespaces.drifts[..] else { panic!("{namespaces:?}") };
    assert_eq!(drift.scope, "team");
    assert_eq!((of(stand, "team/app").await, usage(stand, namespace("team")).await), before);
    is_counted_right(stand).await;
}

/// So that one which cannot be counted is passed over: each is named, in the order in which they are counted.
pub async fn a_count_says_what_is_next(stand: &Stand) {
    for repository in ["team/b", "team/a", "other/app"] {
        push(stand, repository, &[("a", 100)], &[]).await.unwrap();
    }
    for (kind, names) in [
        (ScopeKind::Repositories, &["team/b", "team/a", "other/app"][..]),
        (ScopeKind::Namespaces, &["team", "other"][..]),
    ] {
        let (mut found, mut after) = (Vec::new(), None);
        while let Some(next) = stand.usage.next_scope(kind, after).await.unwrap() {
            let counted = stand.usage.count_scopes(kind, after, 1).await.unwrap();
            assert_eq!((counted.scopes, counted.next), (1, Some(next.number)));
            found.push(next.name);
            after = Some(next.number);
        }
        assert_eq!(found, names);
    }
}

/// In all of the registry, whatever a slice of the count holds.
pub async fn what_is_stored_is_each_blob_once(stand: &Stand) {
    let (_, one) = push(stand, "team/app", &[("a", 100), ("base", 1000)], &["t"]).await.unwrap();
    let (_, two) = push(stand, "other/app", &[("b", 10), ("base", 1000)], &["t"]).await.unwrap();
    upload(stand, "team/app", blob("pending"), 7).await.unwrap();
    // Twice, as what is counted takes the place of what was counted before.
    for _ in 0..2 {
        let mut count = Some(StoredCount::default());
        let mut slices = 0;
        while let Some(so_far) = count {
            count = stand.usage.count_stored(so_far, 2).await.unwrap();
            slices += 1;
        }
        assert!(slices > 3);
    }
    let all = stand.usage.registry_usage().await.unwrap();
    assert_eq!((all.stored, all.blobs), (1110 + one + two, 3));
    assert_eq!((all.referenced, all.once_each_namespace), (2110 + one + two, 2110 + one + two));
    assert_eq!((all.manifests, all.tags), (2, 2));
    assert_eq!(all.counted_at, Some(wharf_core::clock::Clock::now(&*stand.clock).0));
    let listed = stand.usage.list_usage(None, None, 10).await.unwrap();
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["other/app", "team/app"]);
    let listed = stand.usage.list_usage(Some("team".parse().unwrap()), None, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].1.usage, of(stand, "team/app").await);
}
