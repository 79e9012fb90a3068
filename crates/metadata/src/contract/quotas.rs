//! Quotas: no more is let in than may be, and nothing is kept out that fits.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_core::StoreError;
use wharf_core::metadata::{
    Change, CommitOutcome, FinishUpload, HoldUpload, Meter, MountBlob, OverQuota, Precondition,
    Quota, Scope, SetNamespaceQuota, StartUpload, Usage,
};
use wharf_core::permissions::Sources;

use super::samples::{blob, commit, image, name};
use super::stand::{LIFETIME, Stand, start_by};
use super::usage::{
    begun, bytes, is_counted_right, limit, limit_repository, namespace, of, push, refused, upload,
    usage, user,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What it announces is charged; where it announces nothing there is room for a byte, of whichever shard it is. One that is refused has not begun.
pub async fn an_upload_begins_where_there_is_room_for_it(stand: &Stand) {
    user(stand, "team").await;
    limit(stand, "team", bytes(100)).await;
    let begin = async |announced| {
        let start = StartUpload { announced, ..start_by("team/a", "alice") };
        stand.metadata.start_upload(start).await
    };
    let over = refused(begin(Some(101)).await);
    assert_eq!((over.meter, over.used, over.needed), (Meter::BytesWithUploads, 0, 101));
    // Whatever a client says: nothing runs over.
    assert_eq!(refused(begin(Some(u64::MAX)).await).used, 0);
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
    assert!(begin(Some(99)).await.unwrap(), "it is limited");
    assert_eq!(of(stand, "team/a").await.reserved, 99);
    for _ in 0..3 {
        let begun = begin(None).await.map_err(|fault| refused::<bool>(Err(fault)));
        assert!(
            begun.is_ok_and(|is_limited| is_limited) || of(stand, "team/a").await.reserved == 100
        );
    }
    let reserved = usage(stand, namespace("team")).await.reserved;
    assert!((99..=100).contains(&reserved), "{reserved}");
    if reserved == 99 {
        begin(Some(1)).await.unwrap();
    }
    assert_eq!(refused(begin(None).await).used, 100);
    assert_eq!(refused(begin(Some(u64::MAX)).await).used, 100);
    assert!(begin(Some(0)).await.unwrap(), "an empty one fits");
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
        let before = stand.everything().await;
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
