//! A database for one test. Making and dropping one costs more than most tests do, so that a test which leaves
//! the schema alone gets one that an earlier test is done with, made empty.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};
use wharf_core::clock::{Random, SystemRandom};
use wharf_oci::Digest;

use crate::contract::{HandClock, Inspect};
use crate::engine::Value;
use crate::migrations::MIGRATIONS;
use crate::postgres::migrate::checksum;
use crate::postgres::values;
use crate::{Database, Postgres, PostgresSettings};

/// A database of its own.
pub(super) struct Fresh {
    pub(super) name: String,
    /// Whether it goes to another test afterwards.
    shared: bool,
}

/// Databases that no test uses right now, that of the longest rest first.
static IDLE: std::sync::Mutex<VecDeque<String>> = std::sync::Mutex::new(VecDeque::new());

/// The name of a database with every migration, made once for all tests of this process.
static MIGRATED: Mutex<Option<String>> = Mutex::const_new(None);

/// `url` for another database.
pub(super) fn within(url: &str, database: &str) -> String {
    format!("{}/{database}", url.rsplit_once('/').unwrap().0)
}

/// A connection beside the engine.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn random_name() -> String {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    format!("wharf_test_{:016x}", u64::from_le_bytes(bytes))
}

/// Makes a database as a migration leaves it: what the test before has left running ends, its rows go.
const CLEAN: &str = "
    DO $$
    DECLARE item record;
    BEGIN
        -- PgBouncer may be about to connect once more: each look ends those that came meanwhile.
        LOOP
            PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid();
            EXIT WHEN NOT FOUND;
            PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
        END LOOP;
        PERFORM set_config('session_replication_role', 'replica', true), pg_stat_reset();
        FOR item IN SELECT oid::regclass AS name FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND relname NOT IN ('schema_migrations', 'schema_protocol', 'event_partitions', 'cache_epoch',
                  'audit_partitions', 'audit_horizon', 'count_partitions', 'site_writes')
        LOOP
            EXECUTE format('DELETE FROM %s', item.name);
        END LOOP;
        UPDATE cache_epoch SET epoch = 0, since = 0;
        UPDATE audit_horizon SET before = 0;
        UPDATE site_writes SET mode = 'writable', reason = NULL, since = 0;
        PERFORM setval(oid, 1, false) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
    END $$";

impl Fresh {
    /// An empty database, without a schema.
    pub(super) async fn empty() -> Self {
        let name = random_name();
        let admin = connect(&wharf_engines::postgres()).await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self { name, shared: false }
    }

    /// A database as this version of the schema left it.
    pub(super) async fn of_version(version: i64) -> Self {
        let fresh = Self::empty().await;
        let client = fresh.client().await;
        let made = "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, name text NOT NULL,
             checksum bytea NOT NULL, applied_at bigint NOT NULL)";
        client.batch_execute(made).await.unwrap();
        for step in MIGRATIONS.iter().take_while(|step| step.version <= version) {
            client.batch_execute(step.postgres).await.unwrap();
            let applied = "INSERT INTO schema_migrations VALUES ($1, $2, $3, 0)";
            client.execute(applied, &[&step.version, &step.name, &checksum(step)]).await.unwrap();
        }
        fresh
    }

    /// A database with every migration, for a test that leaves its schema and settings alone.
    pub(super) async fn new() -> Self {
        let idle = IDLE.lock().unwrap().pop_front();
        let Some(name) = idle else {
            let mut fresh = Self::own().await;
            fresh.shared = true;
            return fresh;
        };
        let fresh = Self { name, shared: true };
        fresh.client().await.batch_execute(CLEAN).await.unwrap();
        fresh
    }

    /// A database with every migration that no other test ever uses.
    pub(super) async fn own() -> Self {
        let mut migrated = MIGRATED.lock().await;
        if migrated.is_none() {
            let template = Self::empty().await;
            Postgres::migrate(&template.settings()).await.unwrap();
            *migrated = Some(template.name.clone());
            std::mem::forget(template);
        }
        let (name, template) = (random_name(), migrated.clone().unwrap());
        let admin = connect(&wharf_engines::postgres()).await;
        // Whoever migrated the template may be about to leave it; the server waits 5 s for that.
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        admin.batch_execute(&sql).await.unwrap();
        Self { name, shared: false }
    }

    pub(super) fn settings(&self) -> PostgresSettings {
        self.settings_at(&wharf_engines::postgres())
    }

    pub(super) fn settings_at(&self, url: &str) -> PostgresSettings {
        let settings = PostgresSettings::new(within(url, &self.name).parse().unwrap());
        // Hundreds who ask at once take their turns, however slow the machine.
        PostgresSettings { pool_timeout: Duration::from_secs(60), ..settings }
    }

    pub(super) async fn engine(&self) -> Postgres {
        Postgres::connect(self.settings()).await.unwrap()
    }

    pub(super) async fn metadata(self, url: String) -> (Database<Postgres>, Arc<HandClock>, Self) {
        let clock = HandClock::new();
        let engine = Postgres::connect_with_clock(self.settings_at(&url), clock.clone());
        (Database::on_postgres(engine.await.unwrap()), clock, self)
    }

    pub(super) async fn client(&self) -> Client {
        connect(&within(&wharf_engines::postgres(), &self.name)).await
    }

    pub(super) async fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql, &[]).await.into_iter().map(|mut row| row.remove(0)).collect()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.shared {
            IDLE.lock().unwrap().push_back(std::mem::take(&mut self.name));
            return;
        }
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let admin = connect(&wharf_engines::postgres()).await;
                let _ = admin.batch_execute(&sql).await;
            });
        });
        let _ = dropping.join();
    }
}

#[async_trait]
impl Inspect for Fresh {
    async fn rows(&self, sql: &str, digests: &[Digest]) -> Vec<Vec<String>> {
        let digests: Vec<_> = digests.iter().map(Digest::to_binary).collect();
        let parameters: Vec<_> =
            digests.iter().map(|digest| (digest as &(dyn ToSql + Sync), Type::BYTEA)).collect();
        let rows = self.client().await.query_typed(sql, &parameters).await.unwrap();
        rows.iter().map(|row| values::row(row).unwrap().0.iter().map(text).collect()).collect()
    }

    async fn refuses(&self, sql: &str) -> bool {
        self.client().await.batch_execute(sql).await.is_err()
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null(_) => "-".into(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) | Value::Json(text) => text.clone(),
        Value::Bytes(bytes) => Digest::from_binary(bytes)
            .map_or_else(|| format!("{bytes:?}"), |digest| digest.to_string()),
    }
}
