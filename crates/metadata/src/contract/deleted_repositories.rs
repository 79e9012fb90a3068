//! Rules of whole repositories that are deleted: nothing finds them, and they come back as they were until their grace is over.

use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::access::Visibility;
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    Change, CreateOrganization, DeleteOrganization, DeleteRepository, DeletedRepository,
    EnableRetention, EventScope, FinishOutcome, FinishUpload, HoldUpload, KeptBy,
    ListDeletedRepositories, ManifestRules, Meter, MountBlob, NewUser, Page, PinManifest,
    PinTarget, Precondition, PreviewRetention, ReportRunning, RepositoryDeletion, RepositoryFilter,
    RepositoryRestoration, RestoreRepository, RetentionRun, Scope, SetRetention, SetVisibility,
    SetWrites, UnpinManifest, Viewer,
};
use wharf_core::permissions::Sources;
use wharf_core::retention::Policy;
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_oci::{Digest, Reference, RepositoryName};

use super::event_log::all;
use super::immutability::{freeze, organization, releases, remove};
use super::samples::{blob, name};
use super::stand::{Stand, TICK};
use super::usage::{
    bytes, is_counted_right, limit, namespace, of, push, refused, upload, usage, user,
};

/// How long a repository can be brought back on the stand.
const GRACE: Duration = Duration::from_secs(24 * 3600);

impl Stand {
    pub(crate) async fn throw_away_all(&self, repository: &str) -> RepositoryDeletion {
        self.metadata.delete_repository(deletion(repository)).await.unwrap()
    }

    async fn bring_back(&self, repository: &str) -> RepositoryRestoration {
        self.metadata.restore_repository(restoration(repository)).await.unwrap()
    }

    async fn thrown_away(&self, namespace: &str) -> Vec<DeletedRepository> {
        let namespace = namespace.parse().unwrap();
        let query = ListDeletedRepositories { namespace, grace: GRACE, after: None, limit: 100 };
        self.metadata.list_deleted_repositories(query).await.unwrap()
    }

    /// Takes away what can be, `limit` rows at a time; returns in how many steps, and how many repositories it was.
    pub(crate) async fn purge(&self, limit: usize) -> (usize, u64) {
        let (mut steps, mut repositories) = (0, 0);
        loop {
            let purged = self.garbage.purge_repositories(GRACE, limit).await.unwrap();
            if purged == Default::default() {
                return (steps, repositories);
            }
            assert!(purged.rows <= limit as u64, "{purged:?}");
            steps += 1;
            repositories += purged.repositories;
        }
    }

    /// What a repository is, but for its events.
    async fn looks(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in [
            "SELECT id, name, created_at, visibility, immutability_policies, write_mode FROM repositories ORDER BY id",
            "SELECT repository_id, digest, pushed_by, pushed_at, touched_at FROM repository_manifests
             ORDER BY repository_id, digest",
            "SELECT repository_id, name, manifest_digest, version, updated_by, updated_at, created_at FROM tags
             ORDER BY repository_id, name",
            "SELECT repository_id, name, version, action, changed_at FROM tag_history
             ORDER BY repository_id, name, version",
            "SELECT repository_id, blob_digest, touched_at, needed, size, charge FROM repository_blobs
             ORDER BY repository_id, blob_digest",
            "SELECT digest, deleted_at FROM deleted_manifests ORDER BY digest",
            "SELECT repository_id, name, patterns FROM immutability_policies ORDER BY id",
            "SELECT repository_id, document, version, state, updated_by, updated_at FROM retention_policies
             ORDER BY repository_id",
            "SELECT repository_id, version, ended_at, kept, dropped FROM retention_runs ORDER BY repository_id",
            "SELECT repository_id, digest, reporter, ends_at FROM running_manifests
             ORDER BY repository_id, digest, reporter",
            "SELECT blob_digest, repository_id FROM public_blobs ORDER BY blob_digest, repository_id",
            "SELECT namespace, repository_id, max_bytes FROM usage_scopes ORDER BY namespace, repository_id",
            "SELECT count(*) FROM deleted_repositories",
        ] {
            all.extend(self.rows(sql, &[]).await);
        }
        all
    }
}

pub(crate) fn deletion(repository: &str) -> DeleteRepository {
    DeleteRepository { repository: name(repository), by: "bob".into() }
}

pub(crate) fn restoration(repository: &str) -> RestoreRepository {
    let (repository, by) = (name(repository), "carol".into());
    RestoreRepository { repository, number: None, to: None, grace: GRACE, by }
}

async fn names(stand: &Stand) -> Vec<String> {
    let filter = RepositoryFilter { namespace: None, visibility: None, pattern: None };
    let page = Page { after: None, limit: 100 };
    let seen = stand.directory.list_visible(Viewer::All, filter, page).await.unwrap();
    let catalog = stand.metadata.list_repositories(None, 100).await.unwrap();
    let listed = stand.usage.list_usage(None, None, 100).await.unwrap();
    let names = |all: Vec<RepositoryName>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let catalog = names(catalog);
    assert_eq!(names(seen.into_iter().map(|seen| seen.name).collect()), catalog);
    assert_eq!(names(listed.into_iter().map(|(name, _)| name).collect()), catalog);
    catalog
}

async fn mounts(stand: &Stand, text: &str, from: Option<&str>, sources: Sources) -> bool {
    let from = from.map(name);
    let mount = MountBlob { repository: name("other/app"), digest: blob(text), from, sources };
    stand.metadata.mount_blob(mount).await.unwrap()
}

/// Enables a policy of retention, which has run once, and has something reported to run.
async fn retained(stand: &Stand, repository: &str, runs: Digest) {
    let repository = || name(repository);
    let policy = Policy::parse(r#"{"rules":[],"untagged":{"after":"60d"}}"#).unwrap();
    let set = SetRetention { repository: repository(), policy, expected: None };
    assert_eq!(stand.change(set).await, Change::Done);
    let (version, tags, dropped, untagged) = (1, 0, 0, 0);
    let preview = PreviewRetention { repository: repository(), version, tags, dropped, untagged };
    assert_eq!(stand.change(preview).await, Change::Done);
    let enable = EnableRetention { repository: repository(), version };
    assert_eq!(stand.change(enable).await, Change::Done);
    let ended_at = stand.clock.now();
    let run = RetentionRun { version, ended_at, kept: 3, dropped: 1, problem: None };
    stand.retention.record_retention_run(repository(), run).await.unwrap();
    let (reporter, lasts) = ("eu".to_owned(), "30d".parse().unwrap());
    let report = ReportRunning { repository: repository(), digest: runs, reporter, lasts };
    assert_eq!(stand.change(report).await, Change::Done);
}

/// By its name, in a list, or by what it shares with others.
pub async fn nothing_finds_a_deleted_repository(stand: &Stand) {
    let (digest, _) = push(stand, "team/app", &[("one", 10)], &["v1"]).await.unwrap();
    stand.push("other/app", "two", &["t"]).await;
    let visibility = Visibility::Public;
    let public = SetVisibility { repository: name("team/app"), visibility, expected: None };
    assert_eq!(stand.change(public).await, Change::Done);
    assert_eq!(names(stand).await, ["other/app", "team/app"]);
    assert_eq!(stand.throw_away_all("team/app").await, RepositoryDeletion::Deleted);
    assert_eq!(names(stand).await, ["other/app"]);
    assert_eq!(stand.tag("team/app", "v1").await, None);
    assert!(!stand.has("team/app", digest).await);
    assert_eq!(stand.held("team/app", blob("one")).await, None);
    let tags = stand.metadata.list_tags(name("team/app"), None, 10).await.unwrap();
    assert_eq!(tags, None);
    assert_eq!(stand.directory.find_repository(name("team/app")).await.unwrap(), None);
    assert_eq!(stand.usage.find_usage(Scope::Repository(name("team/app"))).await.unwrap(), None);
    for from in [Some("team/app"), None] {
        for sources in [Sources::Any, Sources::PublicOr(vec![name("team/app")])] {
            assert!(!mounts(stand, "one", from, sources).await, "{from:?}");
        }
    }
    assert_eq!(stand.throw_away_all("team/app").await, RepositoryDeletion::NoRepository);
    // Readers of events still hear what it was called.
    let events = all(stand).await;
    let last = events.last().unwrap();
    let app = EventScope::Repository(name("team/app"));
    assert_eq!((last.kind.as_str(), &last.scope), ("repository.deleted", &app));
    assert_eq!(events.iter().filter(|event| event.scope == app).count(), 3);
}

/// With all that it holds, its policies, its visibility and its history.
pub async fn a_deleted_repository_comes_back_as_it_was(stand: &Stand) {
    organization(stand).await;
    let (one, _) = push(stand, "team/app", &[("one", 10)], &["v1", "latest"]).await.unwrap();
    push(stand, "team/app", &[("two", 20), ("base", 100)], &["v2-rc1", "latest"]).await.unwrap();
    let (gone, _) = push(stand, "team/app", &[("three", 30)], &["old"]).await.unwrap();
    stand.delete("team/app", gone, Precondition::None).await;
    upload(stand, "team/app", blob("loose"), 7).await.unwrap();
    push(stand, "team/lib", &[("base", 100)], &["t"]).await.unwrap();
    freeze(stand, "team/app", releases(GRACE * 100)).await;
    retained(stand, "team/app", one).await;
    let visibility = Visibility::Public;
    let public = SetVisibility { repository: name("team/app"), visibility, expected: None };
    assert_eq!(stand.change(public).await, Change::Done);
    stand.clock.advance(GRACE / 2);
    let (before, held) = (stand.looks().await, usage(stand, namespace("team")).await);
    assert_eq!(stand.throw_away_all("team/app").await, RepositoryDeletion::Deleted);
    is_counted_right(stand).await;
    let deleted = stand.thrown_away("team").await;
    assert_eq!(deleted.len(), 1);
    assert_eq!((deleted[0].name.as_str(), deleted[0].deleted_by.as_str()), ("team/app", "bob"));
    assert_eq!(deleted[0].deleted_at, stand.clock.now());
    // However long what is in it was untouched by then.
    stand.clock.advance(GRACE - TICK);
    let rules = ManifestRules { grace: GRACE, untagged_after: Some(GRACE) };
    stand.garbage.empty_trash(rules, 100).await.unwrap();
    stand.garbage.collect_manifests(None, rules, 100).await.unwrap();
    stand.garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
    assert_eq!(stand.purge(100).await, (0, 0));
    assert_eq!(stand.bring_back("team/app").await, RepositoryRestoration::Restored);
    assert_eq!(stand.looks().await, before);
    assert_eq!(usage(stand, namespace("team")).await, held);
    is_counted_right(stand).await;
    assert_eq!(stand.tag("team/app", "v1").await, Some(one));
    assert!(stand.thrown_away("team").await.is_empty());
    assert_eq!(stand.bring_back("team/app").await, RepositoryRestoration::NotDeleted);
    let log = "SELECT by, action, target FROM audit_log ORDER BY id";
    let log = stand.rows(log, &[]).await;
    let told = [
        "bob repository.delete repository:team/app",
        "carol repository.restore repository:team/app",
    ];
    assert!(log.ends_with(&told.map(str::to_owned)), "{log:?}");
    let events = all(stand).await;
    assert_eq!(events.last().unwrap().kind, "repository.restored");
}

/// Whether it was purged or not.
pub async fn a_repository_does_not_come_back_when_its_grace_is_over(stand: &Stand) {
    stand.push("team/b", "one", &["t"]).await;
    stand.throw_away_all("team/b").await;
    stand.clock.advance(GRACE);
    assert!(stand.thrown_away("team").await.is_empty());
    assert_eq!(stand.bring_back("team/b").await, RepositoryRestoration::NotDeleted);
    // Nor when the grace is made longer while it is purged.
    assert_eq!(stand.garbage.purge_repositories(GRACE, 1).await.unwrap().rows, 1);
    let longer = RestoreRepository { grace: GRACE * 10, ..restoration("team/b") };
    let late = stand.metadata.restore_repository(longer).await.unwrap();
    assert_eq!(late, RepositoryRestoration::NotDeleted);
}

/// By another name, and by its number if several had the same.
pub async fn a_name_that_was_taken_again_is_not_taken_back(stand: &Stand) {
    let mut images = Vec::new();
    for text in ["one", "two", "three"] {
        images.push(stand.push("team/b", text, &["t"]).await);
        if text != "three" {
            stand.throw_away_all("team/b").await;
            stand.clock.advance(TICK);
        }
    }
    let before = stand.looks().await;
    assert_eq!(stand.bring_back("team/b").await, RepositoryRestoration::Taken);
    let to = |text: &str, number| {
        let restore = RestoreRepository { to: Some(name(text)), number, ..restoration("team/b") };
        stand.metadata.restore_repository(restore)
    };
    assert_eq!(to("team/b", None).await.unwrap(), RepositoryRestoration::Taken);
    assert_eq!(to("team/c", Some(4711)).await.unwrap(), RepositoryRestoration::NotDeleted);
    assert_eq!(stand.looks().await, before);
    let numbers: Vec<_> =
        stand.thrown_away("team").await.iter().map(|found| found.number).collect();
    assert_eq!(to("team/first", Some(numbers[0])).await.unwrap(), RepositoryRestoration::Restored);
    assert_eq!(to("other/second", None).await.unwrap(), RepositoryRestoration::Restored);
    assert_eq!(stand.tag("team/first", "t").await, Some(images[0]));
    assert_eq!(stand.tag("other/second", "t").await, Some(images[1]));
    assert_eq!(stand.tag("team/b", "t").await, Some(images[2]));
    is_counted_right(stand).await;
}

/// Each until it is taken away; and what is read-only stays as well.
pub async fn what_is_kept_keeps_its_repository(stand: &Stand) {
    organization(stand).await;
    let digest = stand.push("team/app", "one", &["v1"]).await;
    let pin = PinManifest {
        repository: name("team/app"),
        name: "keep".parse().unwrap(),
        target: PinTarget::Digest(digest),
        until: None,
        by: "carol".into(),
    };
    stand.metadata.pin_manifest(pin).await.unwrap();
    let before = stand.everything().await;
    let kept = KeptBy { pin: "keep".parse().unwrap(), digest };
    assert_eq!(stand.throw_away_all("team/app").await, RepositoryDeletion::Pinned(kept));
    assert_eq!(stand.everything().await, before);
    let (repository, by) = (name("team/app"), "carol".into());
    let unpin = UnpinManifest { repository, name: "keep".parse().unwrap(), by };
    assert!(stand.metadata.unpin_manifest(unpin).await.unwrap());
    for of in ["team", "team/app"] {
        freeze(stand, of, releases(Duration::ZERO)).await;
        let before = stand.everything().await;
        match stand.throw_away_all("team/app").await {
            RepositoryDeletion::Frozen(frozen) => {
                assert_eq!((frozen.tag.as_str(), frozen.policy.name.as_str()), ("v1", "releases"));
            }
            other => panic!("{of}: {other:?}"),
        }
        assert_eq!(stand.everything().await, before);
        remove(stand, of, "releases").await;
    }
    for scope in [WriteScope::All, WriteScope::Repository(name("team/app"))] {
        let set = async |mode| {
            let set = SetWrites { scope: scope.clone(), mode, reason: None };
            assert_eq!(stand.change(set).await, Change::Done);
        };
        set(WriteMode::ReadOnly).await;
        let closed = stand.metadata.delete_repository(deletion("team/app")).await;
        assert!(matches!(closed, Err(StoreError::Closed(_))), "{closed:?}");
        set(WriteMode::Writable).await;
    }
    assert_eq!(stand.throw_away_all("team/app").await, RepositoryDeletion::Deleted);
    let (scope, mode) = (WriteScope::All, WriteMode::ReadOnly);
    assert_eq!(stand.change(SetWrites { scope, mode, reason: None }).await, Change::Done);
    let closed = stand.metadata.restore_repository(restoration("team/app")).await;
    assert!(matches!(closed, Err(StoreError::Closed(_))), "{closed:?}");
}

/// At once, and taken again by what comes back, if there is room.
pub async fn a_deleted_repository_frees_its_quota(stand: &Stand) {
    user(stand, "team").await;
    let (_, own) = push(stand, "team/app", &[("one", 100), ("base", 1000)], &["t"]).await.unwrap();
    let (_, lib) = push(stand, "team/lib", &[("base", 1000)], &["t"]).await.unwrap();
    let (id, _) = super::usage::begun(stand, "team/app", blob("more")).await;
    assert!(stand.metadata.hold_upload(HoldUpload { id, bytes: 50 }).await.unwrap());
    limit(stand, "team", bytes(1150 + own + lib)).await;
    assert_eq!(usage(stand, namespace("team")).await.bytes, 1100 + own + lib);
    let all = stand.usage.registry_usage().await.unwrap();
    stand.throw_away_all("team/app").await;
    let left = usage(stand, namespace("team")).await;
    assert_eq!((left.bytes, left.reserved, left.manifests, left.tags), (1000 + lib, 0, 1, 1));
    let without = stand.usage.registry_usage().await.unwrap();
    assert_eq!((without.manifests, without.once_each_namespace), (1, 1000 + lib));
    assert_eq!(all.manifests, 2);
    is_counted_right(stand).await;
    // Its room is another's.
    upload(stand, "team/lib", blob("new"), 140 + own).await.unwrap();
    let before = stand.looks().await;
    let over = refused(stand.metadata.restore_repository(restoration("team/app")).await);
    assert_eq!((over.scope, over.meter), (namespace("team"), Meter::BytesWithUploads));
    assert_eq!(stand.looks().await, before);
    assert_eq!(stand.thrown_away("team").await.len(), 1);
    limit(stand, "team", bytes(10_000)).await;
    assert_eq!(stand.bring_back("team/app").await, RepositoryRestoration::Restored);
    assert_eq!(of(stand, "team/app").await.bytes, 1100 + own);
    is_counted_right(stand).await;
}

/// They are found no more and finish nothing, and what is to be cleared away of them is.
pub async fn uploads_end_with_their_repository(stand: &Stand) {
    stand.push("a/other", "one", &["t"]).await;
    stand.push("a/b", "one", &["t"]).await;
    let id = stand.start("a/b").await;
    let key = stand.reserve(id, blob("two")).await.unwrap();
    stand.throw_away_all("a/b").await;
    assert!(stand.metadata.find_upload(name("a/b"), id).await.unwrap().is_none());
    assert_eq!(stand.reserve(id, blob("two")).await, None);
    assert!(!stand.metadata.hold_upload(HoldUpload { id, bytes: 9 }).await.unwrap());
    assert!(!stand.metadata.touch_upload(id, GRACE).await.unwrap());
    let finished = stand.metadata.finish_upload(FinishUpload { id, key, size: 3 }).await.unwrap();
    assert_eq!(finished, FinishOutcome::Lost);
    stand.clock.advance(super::stand::TIME_LIMIT);
    let expired = stand.metadata.expired_uploads(10).await.unwrap();
    assert_eq!(expired.iter().map(|upload| upload.id).collect::<Vec<_>>(), [id]);
    assert!(stand.metadata.cancel_upload(id).await.unwrap());
    is_counted_right(stand).await;
}

/// A slice at a time; others keep what they share with it, and its row goes when the events of it have gone.
pub async fn a_deleted_repository_is_purged_when_its_grace_is_over(stand: &Stand) {
    let (one, _) =
        push(stand, "team/app", &[("one", 10), ("base", 100)], &["a", "b"]).await.unwrap();
    let (two, _) = push(stand, "team/app", &[("two", 20), ("base", 100)], &["c"]).await.unwrap();
    let (shared, _) = push(stand, "team/app", &[("base", 100)], &[]).await.unwrap();
    let (also, _) = push(stand, "team/lib", &[("base", 100)], &["t"]).await.unwrap();
    assert_eq!(shared, also);
    stand.delete("team/app", two, Precondition::None).await;
    stand.throw_away_all("team/app").await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.purge(100).await, (0, 0));
    assert_eq!(stand.garbage.count_garbage(100).await.unwrap().deleted_repositories, 1);
    stand.clock.advance(TICK);
    let (steps, repositories) = stand.purge(2).await;
    assert!(steps > 5, "{steps}");
    assert_eq!(repositories, 1);
    assert_eq!(stand.garbage.count_garbage(100).await.unwrap().deleted_repositories, 0);
    let left = |table: &str| format!("SELECT count(*) FROM {table} WHERE repository_id = 1");
    for table in [
        "tags",
        "tag_history",
        "repository_manifests",
        "deleted_manifests",
        "repository_blobs",
        "usage_scopes",
        "pins",
    ] {
        assert_eq!(stand.rows(&left(table), &[]).await, ["0"], "{table}");
    }
    let hidden = "SELECT count(*) FROM usage_scopes WHERE namespace LIKE '~%'";
    assert_eq!(stand.rows(hidden, &[]).await, ["0"]);
    let bytes_of = "SELECT count(*) FROM manifests WHERE digest = $1";
    assert_eq!(stand.rows(bytes_of, &[one]).await, ["0"]);
    assert_eq!(stand.rows(bytes_of, &[two]).await, ["0"]);
    assert!(stand.has("team/lib", shared).await);
    for text in ["one", "two", "base"] {
        assert_eq!(stand.marks(blob(text)).await, ["0 marked"], "{text}");
    }
    stand.clock.advance(GRACE);
    let judged = stand.garbage.condemn_blobs(GRACE, 100).await.unwrap();
    assert_eq!((judged.condemned, judged.spared), (2, 1));
    is_counted_right(stand).await;
    // Events tell of it still, by its name.
    let events = all(stand).await;
    let app = EventScope::Repository(name("team/app"));
    assert!(events.iter().any(|event| event.scope == app));
    assert_eq!(stand.rows("SELECT count(*) FROM repositories", &[]).await, ["2"]);
    stand.rows("DELETE FROM events", &[]).await;
    assert_eq!(stand.purge(100).await, (1, 0));
    assert_eq!(stand.rows("SELECT name FROM repositories", &[]).await, ["team/lib"]);
    assert_eq!(stand.rows("SELECT count(*) FROM deleted_repositories", &[]).await, ["0"]);
}

/// Not before the last event of it has gone: the oldest one that is left is much younger.
pub async fn the_row_of_a_purged_repository_outlasts_its_events(stand: &Stand) {
    stand.push("a/b", "one", &["t"]).await;
    stand.throw_away_all("a/b").await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.purge(100).await, (1, 1));
    stand.clock.advance(GRACE);
    stand.push("a/c", "two", &["t"]).await;
    assert_eq!(stand.purge(100).await, (0, 0));
    stand.rows("DELETE FROM events WHERE repository_id = 1", &[]).await;
    assert_eq!(stand.purge(100).await, (1, 0));
    assert_eq!(stand.rows("SELECT name FROM repositories", &[]).await, ["a/c"]);
    assert!(all(stand).await.len() > 1);
}

/// It ends with its grace; nobody else gets it by the name, and it does not come back to what is nobody's.
pub async fn a_deleted_repository_keeps_no_organization(stand: &Stand) {
    organization(stand).await;
    stand.push("team/app", "one", &["t"]).await;
    stand.push("nobodys/app", "two", &["t"]).await;
    for repository in ["team/app", "nobodys/app"] {
        assert_eq!(stand.throw_away_all(repository).await, RepositoryDeletion::Deleted);
    }
    let owner = || "ada".parse().unwrap();
    let stolen = CreateOrganization { name: "nobodys".parse().unwrap(), owner: owner() };
    assert_eq!(stand.change(stolen).await, Change::Taken);
    let end = DeleteOrganization { name: "team".parse().unwrap() };
    assert_eq!(stand.change(end).await, Change::Done);
    let before = stand.looks().await;
    assert_eq!(stand.bring_back("team/app").await, RepositoryRestoration::NoNamespace);
    assert_eq!(stand.looks().await, before);
    let bob = NewUser {
        name: "bob".parse().unwrap(),
        email: None,
        password_hash: None,
        site_admin: false,
    };
    assert_eq!(stand.change(bob).await, Change::Done);
    let moved = RestoreRepository { to: Some(name("bob/app")), ..restoration("team/app") };
    let moved = stand.metadata.restore_repository(moved).await.unwrap();
    assert_eq!(moved, RepositoryRestoration::Restored);
    assert_eq!(stand.bring_back("nobodys/app").await, RepositoryRestoration::Restored);
    let reference = Reference::Tag("t".parse().unwrap());
    let found = stand.metadata.find_manifest(name("bob/app"), reference).await.unwrap();
    assert!(found.is_some());
}
