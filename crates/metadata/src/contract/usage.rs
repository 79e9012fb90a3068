//! Usage and quotas: what is held is counted exactly, and no more is let in than may be.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_core::StoreError;
use wharf_core::UploadId;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    BlobSize, Change, CommitOutcome, FinishUpload, HoldUpload, Meter, MountBlob, NewUser,
    OverQuota, Precondition, Quota, RenameRepository, Scope, SetNamespaceQuota, SetRepositoryQuota,
    StoredCount, Usage,
};
use wharf_core::permissions::Sources;
use wharf_oci::Digest;

use super::samples::{blob, commit, image, name};
use super::stand::{LIFETIME, Stand};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Limits on bytes alone.
const fn bytes(limit: u64) -> Quota {
    Quota { bytes: Some(limit), manifests: None, tags: None }
}

fn namespace(text: &str) -> Scope {
    Scope::Namespace(text.parse().unwrap())
}

async fn user(stand: &Stand, text: &str) {
    let name = text.parse().unwrap();
    let user = NewUser { name, email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(user).await, Change::Done);
}

async fn usage(stand: &Stand, scope: Scope) -> Usage {
    stand.usage.find_usage(scope).await.unwrap().unwrap().usage
}

async fn of(stand: &Stand, repository: &str) -> Usage {
    usage(stand, Scope::Repository(name(repository))).await
}

async fn limit(stand: &Stand, namespace: &str, quota: Quota) -> Change {
    let namespace = namespace.parse().unwrap();
    stand.change(SetNamespaceQuota { namespace, quota, expected: None }).await
}

async fn limit_repository(stand: &Stand, repository: &str, quota: Quota) -> Change {
    let repository = name(repository);
    let namespace = repository.namespace().parse().unwrap();
    stand.change(SetRepositoryQuota { repository, namespace, quota, expected: None }).await
}

/// Uploads a blob of a size, which only pretends to have it.
async fn upload(
    stand: &Stand,
    repository: &str,
    digest: Digest,
    size: u64,
) -> Result<(), StoreError> {
    let (id, key) = begun(stand, repository, digest).await;
    stand.metadata.finish_upload(FinishUpload { id, key, size }).await.map(drop)
}

async fn begun(stand: &Stand, repository: &str, digest: Digest) -> (UploadId, ObjectKey) {
    let id = stand.start(repository).await;
    (id, stand.reserve(id, digest).await.unwrap())
}

/// Pushes an image of blobs with their sizes. Returns it, and how many bytes its manifest has.
async fn push(
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

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> OverQuota {
    match result {
        Err(StoreError::OverQuota(over)) => *over,
        other => panic!("{other:?} is no refusal"),
    }
}

/// All rows together say what the counters say.
async fn is_counted_right(stand: &Stand) {
    for counted in [
        stand.usage.count_repositories(None, 100).await.unwrap(),
        stand.usage.count_namespaces(None, 100).await.unwrap(),
    ] {
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

/// By cancelling, by finishing, or because it has expired.
pub async fn an_upload_is_charged_until_it_ends(stand: &Stand) {
    user(stand, "team").await;
    limit(stand, "team", bytes(100)).await;
    let hold = async |id, bytes| stand.metadata.hold_upload(HoldUpload { id, bytes }).await;
    let (first, second) = (stand.start("team/a").await, stand.start("team/b").await);
    assert!(hold(first, 60).await.unwrap());
    let over = refused(hold(second, 41).await);
    assert_eq!(over.scope, namespace("team"));
    assert_eq!((over.meter, over.used, over.limit), (Meter::BytesWithUploads, 60, 100));
    assert_eq!(over.needed, 41);
    assert!(hold(second, 40).await.unwrap());
    assert!(hold(first, 50).await.unwrap(), "less is possible");
    assert!(hold(second, 50).await.unwrap());
    assert_eq!(usage(stand, namespace("team")).await.reserved, 100);
    assert!(stand.metadata.cancel_upload(first).await.unwrap());
    assert_eq!(usage(stand, namespace("team")).await.reserved, 50);
    assert_eq!(of(stand, "team/a").await.reserved, 0);
    stand.clock.advance(LIFETIME);
    assert!(!hold(second, 1).await.unwrap(), "it has expired");
    for expired in stand.metadata.expired_uploads(10).await.unwrap() {
        stand.metadata.cancel_upload(expired.id).await.unwrap();
    }
    assert_eq!(usage(stand, namespace("team")).await, Usage::default());
    // What one held is room for its blob.
    let (id, key) = begun(stand, "team/a", blob("x")).await;
    assert!(hold(id, 100).await.unwrap());
    stand.metadata.finish_upload(FinishUpload { id, key, size: 100 }).await.unwrap();
    assert_eq!(usage(stand, namespace("team")).await.reserved, 100);
    is_counted_right(stand).await;
}

/// Who uploads and never commits keeps no others out for longer than that.
pub async fn a_blob_is_charged_until_a_sweep_takes_it(stand: &Stand) {
    user(stand, "team").await;
    limit(stand, "team", bytes(100)).await;
    upload(stand, "team/a", blob("x"), 100).await.unwrap();
    refused(upload(stand, "team/a", blob("y"), 1).await);
    assert!(stand.held("team/a", blob("y")).await.is_none());
    stand.clock.advance(DAY);
    assert_eq!(stand.garbage.sweep_memberships(None, DAY, 10).await.unwrap().count, 1);
    assert_eq!(usage(stand, namespace("team")).await, Usage::default());
    upload(stand, "team/a", blob("y"), 100).await.unwrap();
    is_counted_right(stand).await;
}

/// Though nothing is sent for it.
pub async fn a_mount_is_charged_and_refused_where_there_is_no_room(stand: &Stand) {
    user(stand, "team").await;
    push(stand, "other/app", &[("base", 1000)], &["t"]).await.unwrap();
    limit(stand, "team", bytes(1500)).await;
    let mount = |repository| MountBlob {
        repository: name(repository),
        digest: blob("base"),
        from: Some(name("other/app")),
        sources: Sources::Any,
    };
    assert!(stand.metadata.mount_blob(mount("team/a")).await.unwrap());
    assert!(stand.metadata.mount_blob(mount("team/b")).await.unwrap(), "the namespace has it");
    assert_eq!(usage(stand, namespace("team")).await.reserved, 1000);
    assert_eq!(of(stand, "team/b").await.reserved, 1000);
    limit_repository(stand, "team/b", bytes(999)).await;
    stand.start("team/c").await;
    limit_repository(stand, "team/c", bytes(999)).await;
    let over = refused(stand.metadata.mount_blob(mount("team/c")).await);
    assert_eq!(over.scope, Scope::Repository(name("team/c")));
    assert!(stand.held("team/c", blob("base")).await.is_none());
    is_counted_right(stand).await;
}

/// Nor does it matter whose quota it is.
pub async fn a_push_that_does_not_fit_changes_nothing(stand: &Stand) {
    user(stand, "team").await;
    let (_, own) = push(stand, "team/app", &[("c", 10)], &["t"]).await.unwrap();
    upload(stand, "team/app", blob("d"), 10).await.unwrap();
    let before = stand.everything().await;
    let second = commit("team/app", &image(&[blob("d")]), &["t", "u"]);
    let needed = 10 + second.payload.len() as u64;
    for of_namespace in [true, false] {
        let quota = bytes(10 + own + needed - 1);
        let scope = if of_namespace {
            limit(stand, "team", quota).await;
            namespace("team")
        } else {
            limit(stand, "team", Quota::default()).await;
            limit_repository(stand, "team/app", quota).await;
            Scope::Repository(name("team/app"))
        };
        let over = refused(stand.metadata.commit_manifest(second.clone()).await);
        let expected = OverQuota {
            scope,
            meter: Meter::Bytes,
            used: 10 + own,
            limit: 10 + own + needed - 1,
            needed,
        };
        assert_eq!(over, expected);
        assert_eq!(stand.everything().await, before);
    }
    limit_repository(stand, "team/app", bytes(10 + own + needed)).await;
    assert_eq!(stand.commit(second).await, CommitOutcome::Committed);
    is_counted_right(stand).await;
}

/// Where they are counted, and bytes are not.
pub async fn a_tag_and_a_manifest_too_many_are_refused(stand: &Stand) {
    user(stand, "team").await;
    let quota = Quota { bytes: None, manifests: Some(2), tags: Some(2) };
    limit(stand, "team", quota).await;
    push(stand, "team/a", &[("a", 1)], &["one"]).await.unwrap();
    push(stand, "team/b", &[("b", 1)], &["two"]).await.unwrap();
    let over = refused(push(stand, "team/b", &[("c", 1)], &["two"]).await);
    assert_eq!((over.meter, over.used, over.limit, over.needed), (Meter::Manifests, 2, 2, 1));
    let over = refused(push(stand, "team/b", &[("b", 1)], &["three"]).await);
    assert_eq!((over.meter, over.used, over.limit, over.needed), (Meter::Tags, 2, 2, 1));
    stand.delete_tag("team/a", "one", Precondition::None).await;
    push(stand, "team/b", &[("b", 1)], &["three"]).await.unwrap();
    is_counted_right(stand).await;
}

/// Who has brought all that a manifest needs is not refused because somebody else uploads, too.
pub async fn uploads_of_others_do_not_keep_out_what_is_reserved(stand: &Stand) {
    user(stand, "team").await;
    upload(stand, "team/a", blob("mine"), 50).await.unwrap();
    let own = commit("team/a", &image(&[blob("mine")]), &["t"]).payload.len() as u64;
    limit(stand, "team", bytes(100 + own)).await;
    upload(stand, "team/b", blob("theirs"), 50 + own).await.unwrap();
    push(stand, "team/a", &[("mine", 50)], &["t"]).await.unwrap();
    let over = refused(push(stand, "team/b", &[("theirs", 50 + own)], &["t"]).await);
    assert_eq!(over.meter, Meter::Bytes);
    is_counted_right(stand).await;
}

/// Nothing is deleted either.
pub async fn below_a_lowered_quota_nothing_is_pushed(stand: &Stand) {
    user(stand, "team").await;
    let (first, own) = push(stand, "team/app", &[("a", 100)], &["t"]).await.unwrap();
    push(stand, "team/app", &[("b", 100)], &["u"]).await.unwrap();
    limit(stand, "team", bytes(150 + own)).await;
    let over = refused(upload(stand, "team/app", blob("c"), 1).await);
    assert_eq!((over.used, over.limit), (200 + 2 * own, 150 + own));
    stand.delete("team/app", first, Precondition::None).await;
    upload(stand, "team/app", blob("c"), 50).await.unwrap();
    refused(upload(stand, "team/app", blob("d"), 1).await);
    limit(stand, "team", Quota::default()).await;
    upload(stand, "team/app", blob("d"), 1 << 40).await.unwrap();
    is_counted_right(stand).await;
}

/// Of two who change one at once the later is told.
pub async fn a_quota_of_an_older_version_is_stale(stand: &Stand) {
    user(stand, "team").await;
    let set = async |expected, limit| {
        let namespace = "team".parse().unwrap();
        stand.change(SetNamespaceQuota { namespace, quota: bytes(limit), expected }).await
    };
    assert_eq!(set(Some(0), 1).await, Change::Done);
    assert_eq!(set(Some(0), 2).await, Change::Stale);
    assert_eq!(set(Some(1), 3).await, Change::Done);
    let found = stand.usage.find_usage(namespace("team")).await.unwrap().unwrap();
    assert_eq!((found.version, found.quota), (2, bytes(3)));
}

/// And a refused change of one is written down.
pub async fn a_quota_is_of_what_there_is(stand: &Stand) {
    assert_eq!(limit(stand, "team", bytes(1)).await, Change::NotFound);
    assert_eq!(limit_repository(stand, "team/app", bytes(1)).await, Change::NotFound);
    let unknown = Scope::Repository(name("team/app"));
    assert_eq!(stand.usage.find_usage(unknown).await.unwrap(), None);
    let logged = stand.rows("SELECT outcome FROM audit_log WHERE action LIKE '%.quota'", &[]).await;
    assert_eq!(logged, ["refused", "refused"]);
}

/// How many push at once, and how many of them fit.
const PUSHERS: usize = 200;
const ROOM: usize = 100;

/// Everyone pushes an image of their own by all steps; returns how many succeeded.
async fn all_push(stand: &Stand, repository: impl Fn(usize) -> String) -> usize {
    let pushes = (0..PUSHERS).map(|number| {
        let (repository, text) = (repository(number), format!("layer {number}"));
        async move {
            match push(stand, &repository, &[(&text, 1000)], &[&format!("t{number}")]).await {
                Ok(_) => 1,
                Err(StoreError::OverQuota(_)) => 0,
                Err(other) => panic!("{other}"),
            }
        }
    });
    join_all(pushes).await.into_iter().sum()
}

/// How many bytes the image of one of them takes.
fn of_one() -> u64 {
    1000 + commit("a", &image(&[blob("layer 0")]), &[]).payload.len() as u64
}

/// By bytes, in one repository.
pub async fn many_pushers_fill_a_quota_and_no_more(stand: &Stand) {
    stand.start("team/app").await;
    let quota = bytes(ROOM as u64 * of_one());
    assert_eq!(limit_repository(stand, "team/app", quota).await, Change::Done);
    assert_eq!(all_push(stand, |_| "team/app".into()).await, ROOM);
    let used = of(stand, "team/app").await;
    assert_eq!((used.bytes, used.manifests), (ROOM as u64 * of_one(), ROOM as u64));
    is_counted_right(stand).await;
}

/// By manifests and tags, in many repositories.
pub async fn many_pushers_fill_the_quota_of_a_namespace_and_no_more(stand: &Stand) {
    user(stand, "team").await;
    let room = Some(ROOM as u64);
    let quota = Quota { bytes: None, manifests: room, tags: room };
    assert_eq!(limit(stand, "team", quota).await, Change::Done);
    assert_eq!(all_push(stand, |number| format!("team/app{}", number % 20)).await, ROOM);
    let used = usage(stand, namespace("team")).await;
    assert_eq!((used.manifests, used.tags), (ROOM as u64, ROOM as u64));
    is_counted_right(stand).await;
}

/// Whatever meets: pushes of what is shared, deletions of it, and a quota that goes up and down.
pub async fn pushes_deletions_and_quotas_at_once_are_counted_exactly(stand: &Stand) {
    user(stand, "team").await;
    let work = (0..12).map(|number| async move {
        let repository = format!("team/app{}", number % 3);
        for round in 0..4 {
            let layer = format!("layer {}", (number + round) % 4);
            let blobs = [(layer.as_str(), 100), ("base", 1000)];
            match push(stand, &repository, &blobs, &[&format!("t{number}")]).await {
                Ok((digest, _)) if number % 2 == 0 => {
                    stand.delete(&repository, digest, Precondition::None).await;
                }
                Ok(_) | Err(StoreError::OverQuota(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    });
    let quotas = async {
        for most in [10_000, 3_000, 8_000, 2_000, 20_000] {
            assert_eq!(limit(stand, "team", bytes(most)).await, Change::Done);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(join_all(work), quotas);
    is_counted_right(stand).await;
    let debts = "SELECT count(*) FROM usage_shards h JOIN usage_scopes s ON s.id = h.scope
                 WHERE s.indebted = 0 AND h.bytes > h.bytes_allowed";
    assert_eq!(stand.rows(debts, &[]).await, ["0"]);
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
    let counted = stand.usage.count_repositories(None, 1).await.unwrap();
    assert!(counted.drifts.is_empty(), "what was there before is no fault");
    assert!(counted.next.is_some());
    stand.usage.count_repositories(counted.next, 1).await.unwrap();
    stand.usage.count_namespaces(None, 10).await.unwrap();
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
    let counted = stand.usage.count_repositories(None, 10).await.unwrap();
    let [drift] = &counted.drifts[..] else { panic!("{counted:?}") };
    assert_eq!((drift.scope.as_str(), drift.rows), ("team/app", 1));
    assert!(drift.bytes >= 5);
    let counted = stand.usage.count_namespaces(None, 10).await.unwrap();
    let [drift] = &counted.drifts[..] else { panic!("{counted:?}") };
    assert_eq!(drift.scope, "team");
    assert_eq!((of(stand, "team/app").await, usage(stand, namespace("team")).await), before);
    is_counted_right(stand).await;
}

/// In all of the registry, whatever a slice of the count holds.
pub async fn what_is_stored_is_each_blob_once(stand: &Stand) {
    let (_, one) = push(stand, "team/app", &[("a", 100), ("base", 1000)], &["t"]).await.unwrap();
    let (_, two) = push(stand, "other/app", &[("b", 10), ("base", 1000)], &["t"]).await.unwrap();
    upload(stand, "team/app", blob("pending"), 7).await.unwrap();
    let mut count = Some(StoredCount::default());
    let mut slices = 0;
    while let Some(so_far) = count {
        count = stand.usage.count_stored(so_far, 2).await.unwrap();
        slices += 1;
    }
    assert!(slices > 3);
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
