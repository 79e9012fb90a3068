//! Reads on a replica: the contract, where reads run, and what they show when a replica lags or is lost.

mod gate;
mod lost;
mod strict;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::{Instant, sleep};
use tokio_postgres::types::PgLsn;
use wharf_oci::Digest;

use super::fresh::{Fresh, connect, within};
use crate::contract::{HandClock, Inspect};
use crate::engine::{Engine, Reads, Result, Statements, Transaction};
use crate::{Database, Postgres, PostgresSettings};

/// Who holds up the replica is alone with it: what it replays is of all databases.
static REPLICA: RwLock<()> = RwLock::const_new(());

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A database, which the replica has too.
struct Copied {
    fresh: Fresh,
    _among_others: RwLockReadGuard<'static, ()>,
}

impl Copied {
    async fn new() -> Self {
        let among_others = REPLICA.read().await;
        let fresh = Fresh::new().await;
        catch_up(&fresh).await;
        Self { fresh, _among_others: among_others }
    }
}

#[async_trait]
impl Inspect for Copied {
    async fn rows(&self, sql: &str, digests: &[Digest]) -> Vec<Vec<String>> {
        self.fresh.rows(sql, digests).await
    }

    async fn refuses(&self, sql: &str) -> bool {
        self.fresh.refuses(sql).await
    }
}

/// Settings with one replica.
fn settings(fresh: &Fresh, primary: &str, replica: &str) -> PostgresSettings {
    let replicas = vec![within(replica, &fresh.name).parse().unwrap()];
    PostgresSettings { replicas, ..fresh.settings_at(primary) }
}

/// Waits until the replica has all that is committed, for as long as it comes nearer: other tests may have written much that it replays first.
async fn catch_up(fresh: &Fresh) {
    let place = fresh.client().await;
    let row = place.query_typed_one("SELECT pg_current_wal_flush_lsn()", &[]).await.unwrap();
    let place: PgLsn = row.get(0);
    let replica = connect(&wharf_engines::postgres_replica()).await;
    let (mut reached, mut since) = (PgLsn::from(0), Instant::now());
    loop {
        let row = replica.query_typed_one("SELECT pg_last_wal_replay_lsn()", &[]).await.unwrap();
        let now: PgLsn = row.get(0);
        if now >= place {
            return;
        }
        if now > reached {
            (reached, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "the replica stays at {now}, and is to reach {place}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The replica, held up until this is dropped.
struct HeldUp {
    is_held: bool,
    _alone: RwLockWriteGuard<'static, ()>,
}

impl HeldUp {
    /// Alone with the replica, which goes on for now.
    async fn new() -> Self {
        Self { is_held: false, _alone: REPLICA.write().await }
    }

    async fn hold(&mut self) {
        self.is_held = true;
        let replica = connect(&wharf_engines::postgres_replica()).await;
        replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
        let begin = Instant::now();
        let sql = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        while !replica.query_typed_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(begin.elapsed() < PATIENCE, "the replica goes on");
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn let_go(&mut self) {
        let replica = connect(&wharf_engines::postgres_replica()).await;
        replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
        self.is_held = false;
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        if !self.is_held {
            return;
        }
        // A test that failed leaves the replica to the others as it found it.
        let going_on = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let replica = connect(&wharf_engines::postgres_replica()).await;
                let _ = replica.batch_execute("SELECT pg_wal_replay_resume()").await;
            });
        });
        let _ = going_on.join();
    }
}

/// A query that may run on a replica.
struct Pull(&'static str);

#[async_trait]
impl Transaction for Pull {
    type Output = String;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<String> {
        let rows = on.query(self.0, &[]).await?;
        Ok(super::fresh::text(&rows[0].0[0]))
    }
}

/// Where a read runs.
const WHERE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END";

/// Waits until reads run on the replica: it may be late at times on a busy machine.
async fn until_used(engine: &Postgres) {
    let begin = Instant::now();
    while engine.read(Pull(WHERE)).await.unwrap() != "replica" {
        assert!(begin.elapsed() < PATIENCE, "the replica is not used");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn on(primary: String, replica: String) -> (Database<Postgres>, Arc<HandClock>, Copied) {
    let copied = Copied::new().await;
    let clock = HandClock::new();
    let settings = settings(&copied.fresh, &primary, &replica);
    let engine = Postgres::connect_with_clock(settings, clock.clone()).await.unwrap();
    (Database::on_postgres(engine), clock, copied)
}

mod contract {
    use super::*;

    async fn make() -> (Database<Postgres>, Arc<HandClock>, Copied) {
        on(wharf_engines::postgres(), wharf_engines::postgres_replica()).await
    }

    crate::metadata_contract!(make);
}
