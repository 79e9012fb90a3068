//! The order in which rows are locked: who waits for a row holds none that comes behind it, so that no two wait for each other.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use wharf_core::metadata::{
    AccountChange, Change, ChangeRequest, CommitOutcome, DeleteManifest, DeleteOutcome, HoldUpload,
    Precondition, RenameRepository, RepositoryDeletion, RepositoryRestoration, SetNamespaceQuota,
};
use wharf_oci::Digest;

use super::Scene;
use crate::contract::deleted_repositories::{deletion, restoration};
use crate::contract::samples::{blob, commit, image, name};
use crate::contract::usage::{bytes, is_counted_right, limit, push, upload, user};
use crate::engine::{Engine, Result, Statements, Transaction};

const APP: &str = "team/app";
const LIB: &str = "team/lib";

/// All counts of the namespace, its first and its last, updated to what they are.
macro_rules! counts {
    ($rows:literal) => {
        concat!(
            "UPDATE namespace_blobs SET held = held WHERE (scope, digest) IN
                 (SELECT b.scope, b.digest FROM namespace_blobs b JOIN usage_scopes s ON s.id = b.scope
                  WHERE s.namespace = 'team' ORDER BY b.digest ",
            $rows,
            ")"
        )
    };
}
const COUNTS: &str = counts!("");
const FIRST: &str = counts!("LIMIT 1");
const LAST: &str = counts!("DESC LIMIT 1");

const SHARDS: &str = "UPDATE usage_shards SET tags = tags";

/// Locks some rows and, when it is told to, others. It waits for these no longer than for a moment.
struct Other {
    first: &'static str,
    then: &'static str,
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

#[async_trait]
impl Transaction for Other {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        on.execute("SET LOCAL lock_timeout = '500ms'", &[]).await?;
        on.execute(self.first, &[]).await?;
        self.reached.add_permits(1);
        self.go.acquire().await.unwrap().forget();
        on.execute(self.then, &[]).await.map(drop)
    }
}

/// Runs a transaction until it waits for one who holds the rows of `first` and, once it does, locks those of `then`, which nobody holds.
async fn waits_with_nothing<T: Transaction>(
    scene: &Scene,
    transaction: T,
    first: &'static str,
    then: &'static str,
) -> T::Output {
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let other = Other { first, then, reached: reached.clone(), go: go.clone() };
    let (one, two) = (scene.engine.clone(), scene.engine.clone());
    let other = tokio::spawn(async move { one.write(other).await });
    reached.acquire().await.unwrap().forget();
    let transaction = tokio::spawn(async move { two.write(transaction).await });
    let waiting = "SELECT 1 FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while scene.stand.rows(waiting, &[]).await.is_empty() {
        assert!(!transaction.is_finished(), "it waits for nobody who has done {first}");
        sleep(Duration::from_millis(1)).await;
    }
    go.add_permits(1);
    if let Err(fault) = other.await.unwrap() {
        panic!("{then} had to wait: {fault}");
    }
    transaction.await.unwrap().unwrap()
}

/// Two blobs in the order of their digests.
fn two() -> [&'static str; 2] {
    let mut texts = ["one", "other"];
    texts.sort_by_key(|text| blob(text).to_binary());
    texts
}

/// A repository with both, stored against the order of their digests, and another that has those of `shared`.
async fn scene(shared: &[&'static str]) -> (Scene, Digest) {
    let scene = Scene::new().await;
    user(&scene.stand, "team").await;
    let [first, last] = two();
    let (image, _) = push(&scene.stand, APP, &[(last, 10), (first, 10)], &["t"]).await.unwrap();
    let shared: Vec<_> = shared.iter().map(|text| (*text, 10)).collect();
    push(&scene.stand, LIB, &shared, &["t"]).await.unwrap();
    (scene, image)
}

/// One count goes and the other is changed: both in one order.
#[tokio::test]
async fn of_an_image_that_is_deleted() {
    let [_, last] = two();
    let (scene, digest) = scene(&[last]).await;
    let precondition = Precondition::None;
    let deletion = DeleteManifest { repository: name(APP), digest, precondition, by: "bob".into() };
    let outcome = waits_with_nothing(&scene, deletion, FIRST, LAST).await;
    assert_eq!(outcome, DeleteOutcome::Deleted);
    is_counted_right(&scene.stand).await;
}

/// It locks the repository as who deletes that does, and then what is charged.
#[tokio::test]
async fn of_a_push() {
    let (scene, _) = scene(&two()).await;
    upload(&scene.stand, APP, blob("more"), 10).await.unwrap();
    let pushed = commit(APP, &image(&[blob("more")]), &[]);
    let deleted = "SELECT 1 FROM repositories WHERE name = 'team/app' FOR UPDATE";
    let outcome = waits_with_nothing(&scene, pushed, deleted, COUNTS).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    is_counted_right(&scene.stand).await;
}

#[tokio::test]
async fn of_a_repository_that_is_deleted_and_comes_back() {
    for then in [LAST, SHARDS] {
        let (scene, _) = scene(&two()).await;
        let outcome = waits_with_nothing(&scene, deletion(APP), FIRST, then).await;
        assert_eq!(outcome, RepositoryDeletion::Deleted);
        let outcome = waits_with_nothing(&scene, restoration(APP), FIRST, LAST).await;
        assert_eq!(outcome, RepositoryRestoration::Restored);
        is_counted_right(&scene.stand).await;
    }
}

/// Whoever ends an upload locks it before the repository, and what is charged at last.
#[tokio::test]
async fn of_a_repository_that_is_deleted_with_its_uploads() {
    let uploads = "SELECT 1 FROM uploads FOR UPDATE";
    let repositories = "SELECT 1 FROM repositories FOR KEY SHARE";
    for (first, then) in [(uploads, repositories), (uploads, SHARDS), (FIRST, SHARDS)] {
        let (scene, _) = scene(&two()).await;
        let id = scene.stand.start(APP).await;
        assert!(scene.stand.metadata.hold_upload(HoldUpload { id, bytes: 50 }).await.unwrap());
        let outcome = waits_with_nothing(&scene, deletion(APP), first, then).await;
        assert_eq!(outcome, RepositoryDeletion::Deleted);
        is_counted_right(&scene.stand).await;
    }
}

#[tokio::test]
async fn of_a_repository_that_is_renamed() {
    let (scene, _) = scene(&two()).await;
    user(&scene.stand, "ada").await;
    let change = RenameRepository { from: name(APP), to: name("ada/app") };
    let renamed = "SELECT 1 FROM repositories WHERE name = 'team/app' FOR KEY SHARE";
    let outcome = waits_with_nothing(&scene, request(change.into()), renamed, COUNTS).await;
    assert_eq!(outcome, Change::Done);
    is_counted_right(&scene.stand).await;
}

/// Who makes a shard locks its scope, and then takes from the shards that there are.
#[tokio::test]
async fn of_a_quota_that_is_set() {
    let (scene, _) = scene(&two()).await;
    limit(&scene.stand, "team", bytes(1 << 30)).await;
    let quota = bytes(1 << 20);
    let change = SetNamespaceQuota { namespace: "team".parse().unwrap(), quota, expected: None };
    let scope = "UPDATE usage_scopes SET indebted = indebted";
    let outcome = waits_with_nothing(&scene, request(change.into()), scope, SHARDS).await;
    assert_eq!(outcome, Change::Done);
    is_counted_right(&scene.stand).await;
}

fn request(change: AccountChange) -> ChangeRequest {
    ChangeRequest { change, by: "user:ada".into(), once: None }
}
