//! How often a transaction asks the database: not more often the more it is about.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Precondition, Restore, RestoreOutcome};
use wharf_oci::{Digest, Reference};

use super::interleaved::Scene;
use crate::contract::samples::{blob, index, name};
use crate::engine::{Dialect, Engine, Plans, Result, Row, Sees, Statements, Transaction, Value};
use crate::transactions::garbage::sweep::Sweep;

const HOUR: Duration = Duration::from_secs(3600);

/// What a transaction returns, and the statements that it waited for, one after another.
struct Told<T>(T);

#[async_trait]
impl<T: Transaction> Transaction for Told<T> {
    type Output = (T::Output, Vec<&'static str>);

    const SEES: Sees = T::SEES;
    const PLANS: Plans = T::PLANS;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let mut telling = Telling { on, told: Vec::new() };
        let output = self.0.run(&mut telling).await?;
        Ok((output, telling.told))
    }
}

/// Statements, of which it remembers each that is waited for by itself.
struct Telling<'a> {
    on: &'a mut dyn Statements,
    told: Vec<&'static str>,
}

#[async_trait]
impl Statements for Telling<'_> {
    fn dialect(&self) -> Dialect {
        self.on.dialect()
    }

    fn shard(&self) -> i64 {
        self.on.shard()
    }

    async fn now(&mut self) -> Result<Timestamp> {
        self.on.now().await
    }

    async fn execute(&mut self, sql: &'static str, arguments: &[Value]) -> Result<u64> {
        self.told.push(sql);
        self.on.execute(sql, arguments).await
    }

    async fn execute_each(
        &mut self,
        sql: &'static str,
        arguments: &[Vec<Value>],
    ) -> Result<Vec<u64>> {
        self.told.push(sql);
        self.on.execute_each(sql, arguments).await
    }

    async fn query(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.told.push(sql);
        self.on.query(sql, arguments).await
    }

    async fn query_locked(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.told.push(sql);
        self.on.query_locked(sql, arguments).await
    }

    async fn query_shared(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.told.push(sql);
        self.on.query_shared(sql, arguments).await
    }

    async fn query_free(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.told.push(sql);
        self.on.query_free(sql, arguments).await
    }
}

/// Brings back an index of so many images that are there, in an index. Returns in how many statements.
async fn restored(scene: &Scene, images: usize) -> usize {
    let stand = &scene.stand;
    let mut children: Vec<Digest> = Vec::new();
    for image in 0..images {
        children.push(stand.push("a", &format!("{image} of {images}"), &[]).await);
    }
    let inner = stand.put("a", &index(&children), &[]).await;
    let outer = stand.put("a", &index(&[inner]), &["t"]).await;
    stand.delete("a", outer, Precondition::None).await;
    let (repository, what) = (name("a"), Reference::Digest(outer));
    let restore = Restore { repository, what, grace: HOUR, by: "carol".into() };
    let (outcome, told) = scene.engine.write(Told(restore)).await.unwrap();
    assert!(matches!(outcome, RestoreOutcome::Restored { manifests: 1, .. }), "{outcome:?}");
    told.len()
}

#[tokio::test]
async fn of_a_restored_index_are_no_more_the_more_it_needs() {
    let scene = Scene::new().await;
    // The first makes the counters of usage.
    restored(&scene, 1).await;
    assert_eq!(restored(&scene, 2).await, restored(&scene, 40).await);
}

#[tokio::test]
async fn of_the_events_of_a_sweep_is_one() {
    let scene = Scene::new().await;
    for repository in ["a", "b", "c", "d"] {
        scene.stand.hold(repository, blob("one")).await;
    }
    scene.stand.clock.advance(HOUR);
    let sweep = Sweep { after: None, grace: HOUR, limit: 100 };
    let (taken, told) = scene.engine.write(Told(sweep)).await.unwrap();
    assert_eq!(taken.count, 4);
    let events = told.iter().filter(|sql| sql.starts_with("INSERT INTO events")).count();
    assert_eq!(events, 1);
    let swept = "SELECT 1 FROM events WHERE kind = 'blobs.swept'";
    assert_eq!(scene.stand.rows(swept, &[]).await.len(), 4);
}
