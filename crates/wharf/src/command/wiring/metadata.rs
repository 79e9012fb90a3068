//! The database that a configuration asks for, opened with its schema up to date.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep};
use wharf_core::cache::Epochs;
use wharf_core::clock::SystemClock;
use wharf_core::metadata::{
    Accounts, Adoptions, AuditReaders, Counts, DeviceLogins, Directory, EventLog, Garbage,
    Identities, ImmutabilityPolicies, Integrity, Jobs, LastKnown, Metadata, Retention, Sessions,
    TrustRules, UsageMetadata, WriteModes,
};
use wharf_metadata::{
    Connections, Database, Postgres, PostgresError, PostgresSettings, PostgresUrl, Sqlite,
};

use super::browser::People;
use crate::config::{Config, DatabaseUrl};
use crate::data_folder::DataFolder;

/// How long a start waits for a database server that cannot be reached: it may be starting too.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A database, by each of the things that it does.
pub struct Stores {
    pub metadata: Arc<dyn Metadata>,
    /// What read replicas know while the database itself is away.
    pub last_known: Option<Arc<dyn LastKnown>>,
    pub jobs: Arc<dyn Jobs>,
    pub events: Arc<dyn EventLog>,
    pub epochs: Arc<dyn Epochs>,
    pub accounts: Arc<dyn Accounts>,
    pub directory: Arc<dyn Directory>,
    pub immutability: Arc<dyn ImmutabilityPolicies>,
    pub trust: Arc<dyn TrustRules>,
    pub audit: Arc<dyn AuditReaders>,
    /// What browsers and devices work on.
    pub people: People,
    pub counts: Arc<dyn Counts>,
    pub garbage: Arc<dyn Garbage>,
    pub retention: Arc<dyn Retention>,
    pub writes: Arc<dyn WriteModes>,
    pub adoptions: Arc<dyn Adoptions>,
    pub usage: Arc<dyn UsageMetadata>,
    pub integrity: Arc<dyn Integrity>,
    /// The connections to a database server.
    pub connections: Option<Connections>,
}

impl Stores {
    fn of<D>(database: Arc<D>) -> Stores
    where
        D: Metadata + Jobs + EventLog + Epochs + Accounts + Directory + TrustRules,
        D: AuditReaders + Counts + Garbage + Identities + ImmutabilityPolicies + Sessions,
        D: DeviceLogins + Retention + WriteModes + Adoptions + UsageMetadata + Integrity,
    {
        let people = People {
            identities: Arc::clone(&database) as _,
            sessions: Arc::clone(&database) as _,
            devices: Arc::clone(&database) as _,
        };
        Stores {
            people,
            metadata: Arc::clone(&database) as _,
            last_known: None,
            jobs: Arc::clone(&database) as _,
            events: Arc::clone(&database) as _,
            epochs: Arc::clone(&database) as _,
            accounts: Arc::clone(&database) as _,
            directory: Arc::clone(&database) as _,
            immutability: Arc::clone(&database) as _,
            trust: Arc::clone(&database) as _,
            audit: Arc::clone(&database) as _,
            writes: Arc::clone(&database) as _,
            counts: Arc::clone(&database) as _,
            garbage: Arc::clone(&database) as _,
            retention: Arc::clone(&database) as _,
            usage: Arc::clone(&database) as _,
            integrity: Arc::clone(&database) as _,
            adoptions: database,
            connections: None,
        }
    }

    fn on_postgres(connected: Postgres, has_replicas: bool) -> Stores {
        let connections = Some(connected.connections());
        let database = Arc::new(Database::on_postgres(connected));
        let last_known = has_replicas.then(|| Arc::clone(&database) as Arc<dyn LastKnown>);
        Stores { last_known, connections, ..Stores::of(database) }
    }
}

/// Opens the database, made where it is not there. A file in the data folder needs that folder to be opened first.
pub async fn open(config: &Config) -> anyhow::Result<Stores> {
    if let DatabaseUrl::Postgres(url) = &config.database.url {
        if config.database.migrate {
            for version in migrate(config).await? {
                tracing::info!(version, "the database's schema was brought up to date");
            }
        }
        let settings = settings(config, url);
        let connected = patiently(|| Postgres::connect(settings.clone())).await?;
        return Ok(Stores::on_postgres(connected, !settings.replicas.is_empty()));
    }
    Ok(Stores::of(Arc::new(Database::on_sqlite(sqlite(config)?))))
}

/// Opens the database that nodes are working on, whose schema is up to date.
pub async fn beside_others(config: &Config) -> anyhow::Result<Stores> {
    if let DatabaseUrl::Postgres(url) = &config.database.url {
        let settings = PostgresSettings { replicas: Vec::new(), ..settings(config, url) };
        let connected = Postgres::connect(settings).await;
        let connected = connected.context("the database cannot be used (database.url)")?;
        return Ok(Stores::on_postgres(connected, false));
    }
    let file = sqlite_file(config);
    anyhow::ensure!(
        file.exists(),
        "there is no database {}; `wharf serve` makes it",
        file.display()
    );
    Ok(Stores::of(Arc::new(Database::on_sqlite(sqlite(config)?))))
}

/// The accounts, for whoever makes them by hand: before the first start as well, which then finds the database.
pub async fn for_accounts(config: &Config) -> anyhow::Result<Stores> {
    if matches!(config.database.url, DatabaseUrl::DataFolder) && !sqlite_file(config).exists() {
        // Made and recognised as a data folder, then left to whoever serves it.
        drop(DataFolder::open(config.data.folder.as_ref())?);
    }
    open(config).await
}

/// Brings the schema up to date and returns the versions that were applied to a PostgreSQL database. A SQLite
/// file is brought up to date by each start.
pub async fn migrate(config: &Config) -> anyhow::Result<Vec<i64>> {
    if let DatabaseUrl::Postgres(url) = &config.database.url {
        let settings = settings(config, url);
        return patiently(|| Postgres::migrate(&settings)).await;
    }
    sqlite(config)?;
    Ok(Vec::new())
}

fn sqlite(config: &Config) -> anyhow::Result<Sqlite> {
    Ok(Sqlite::open(&sqlite_file(config), Arc::new(SystemClock))?)
}

/// Where the metadata are.
pub enum Place {
    /// In this file.
    Sqlite(PathBuf),
    /// In this database.
    Postgres(Box<PostgresSettings>),
}

/// Where a configuration has the metadata.
pub fn place(config: &Config) -> Place {
    match &config.database.url {
        DatabaseUrl::Postgres(url) => Place::Postgres(Box::new(settings(config, url))),
        _ => Place::Sqlite(sqlite_file(config)),
    }
}

fn sqlite_file(config: &Config) -> PathBuf {
    match &config.database.url {
        DatabaseUrl::Sqlite(file) => file.as_ref().to_owned(),
        _ => config.data.folder.as_ref().join("metadata.sqlite"),
    }
}

fn settings(config: &Config, url: &PostgresUrl) -> PostgresSettings {
    let database = &config.database;
    PostgresSettings {
        direct_url: database.direct_url.0.clone(),
        replicas: database.replica_urls.to_vec(),
        connections: database.connections.get(),
        root_certificates: database.root_certificates.as_ref().map(|path| path.as_ref().to_owned()),
        ..PostgresSettings::of_transactions(url.clone(), database.timeout.get())
    }
}

/// Asks until the server can be reached, and tells once that it waits.
async fn patiently<T, F>(ask: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, PostgresError>>,
{
    let end = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        match ask().await {
            Err(PostgresError::Unavailable(reason)) if Instant::now() < end => {
                if !told {
                    tracing::warn!(%reason, "waiting for the database, {PATIENCE:?} at most");
                    told = true;
                }
                sleep(PAUSE).await;
            }
            other => return other.context("the database cannot be used (database.url)"),
        }
    }
}
