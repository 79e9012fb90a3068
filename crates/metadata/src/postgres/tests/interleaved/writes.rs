//! A push whose snapshot is older than the change that makes its repository read-only.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use wharf_core::StoreError;
use wharf_core::metadata::{Change, CommitOutcome, FinishOutcome, FinishUpload, SetWrites};
use wharf_core::writes::{WriteMode, WriteScope};

use super::Scene;
use crate::contract::samples::{blob, commit, image, name};
use crate::engine::{Engine, Result, Statements, Transaction};
use crate::postgres::tests::fresh::Fresh;

/// Runs `push` to where it has its snapshot; sets read-only, which must not be acknowledged; lets the push go on, and
/// returns what came of it once both are done.
async fn meets<T: Transaction>(scope: WriteScope, scene: &Scene, push: T) -> T::Output {
    let accounts = scene.stand.accounts.clone();
    let (told, acknowledged) = tokio::sync::oneshot::channel();
    let pushed = scene
        .around(push, async {
            let mut setting = tokio::spawn(async move {
                let change = SetWrites { scope, mode: WriteMode::ReadOnly, reason: None };
                let request = wharf_core::metadata::ChangeRequest {
                    change: change.into(),
                    by: "user:ada".into(),
                    once: None,
                };
                accounts.change(request).await.unwrap()
            });
            let early = timeout(Duration::from_millis(300), &mut setting).await;
            assert!(early.is_err(), "it was acknowledged while an older push could commit");
            told.send(setting).unwrap();
        })
        .await;
    let setting = acknowledged.await.unwrap();
    assert_eq!(timeout(Duration::from_secs(5), setting).await.unwrap().unwrap(), Change::Done);
    pushed
}

/// A push that tells where it was refused.
struct Tried<T>(T);

#[async_trait]
impl<T: Transaction> Transaction for Tried<T> {
    type Output = Option<T::Output>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        match self.0.run(on).await {
            Err(StoreError::Closed(_)) => Ok(None),
            other => other.map(Some),
        }
    }
}

/// The older push commits before the change is acknowledged; or it meets the change at the repository's row, begins
/// again and is refused. Whatever comes later is refused.
#[tokio::test]
async fn read_only_is_acknowledged_behind_older_pushes() {
    for scope in [WriteScope::All, WriteScope::Repository(name("a"))] {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &[]).await;
        let push = || commit("a", &image(&[blob("one")]), &["latest"]);
        let outcome = meets(scope.clone(), &scene, Tried(push())).await;
        let committed = outcome.is_some_and(|outcome| outcome == CommitOutcome::Committed);
        assert!(committed || scope != WriteScope::All, "nothing stood in its way");
        assert_eq!(scene.stand.tag("a", "latest").await, committed.then_some(digest));
        let later = scene.stand.metadata.commit_manifest(push()).await;
        assert!(matches!(later, Err(StoreError::Closed(_))));

        let scene = Scene::new().await;
        let id = scene.stand.start("a").await;
        let key = scene.stand.reserve(id, blob("one")).await.unwrap();
        let outcome = meets(scope.clone(), &scene, Tried(FinishUpload { id, key, size: 0 })).await;
        let finished = outcome.is_some_and(|outcome| outcome == FinishOutcome::Finished);
        assert!(finished || scope != WriteScope::All, "nothing stood in its way");
        assert_eq!(scene.stand.held("a", blob("one")).await.is_some(), finished);
    }
}

/// Who reads for long, as a backup does, is not waited for.
#[tokio::test]
async fn read_only_does_not_wait_for_who_reads() {
    let fresh = Fresh::new().await;
    let reader = fresh.client().await;
    let reads = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT mode FROM site_writes";
    reader.batch_execute(reads).await.unwrap();
    let engine = fresh.engine().await;
    let settled = timeout(Duration::from_secs(5), engine.settle()).await;
    settled.expect("it waited for a transaction that only reads").unwrap();
    reader.batch_execute("COMMIT").await.unwrap();
}
