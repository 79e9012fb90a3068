//! PostgreSQL: a pool of connections, transactions in snapshots that run again where two of them meet. Nothing
//! is kept in a session, so a PgBouncer that pools transactions may stand in between.

mod caught_up;
mod connections;
mod failure;
mod migrate;
mod position;
mod replica;
mod replicas;
mod retry;
mod session;
mod settings;
mod settling;
mod shards;
mod standing;
#[cfg(test)]
mod tests;
mod tls;
mod values;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use wharf_core::clock::Clock;

use crate::engine::{Engine, Plans, Reads, Result, Sees, Transaction};
use crate::migrations::MigrationError;
pub use connections::{ConnectionCounts, Connections};
use failure::{Failure, describe};
pub(crate) use migrate::connect as connect_alone;
use replicas::Replicas;
use retry::Tries;
use session::{Beginning, Session};
pub use settings::{NoPostgresUrl, PostgresSettings, PostgresUrl};
use shards::Shards;

/// What this binary knows of the rules that nodes of one database share. It grows where an older node could break
/// a rule of a newer one, and `schema_protocol` says which is the least that may still write.
const PROTOCOL: i64 = 1;

/// PostgreSQL, by a pool of connections.
pub struct Postgres {
    pool: Pool,
    settings: PostgresSettings,
    begins: Begins,
    clock: Option<Arc<dyn Clock>>,
    replicas: Option<Replicas>,
    shards: Shards,
}

/// Leaves a planner nothing but indexes, where there are any.
const BY_INDEX: &str = "; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
    SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; \
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";

/// What begins a transaction, with its limits.
struct Begins {
    estimated: Modes,
    by_index: Modes,
    /// The limits alone.
    limits: Arc<str>,
}

/// What begins a transaction of each kind.
struct Modes {
    read: Arc<str>,
    write: Arc<str>,
    /// One that writes and sees each commit.
    write_latest: Arc<str>,
}

impl Begins {
    /// `synchronous` says that a commit waits for the disk by itself.
    fn new(settings: &PostgresSettings, synchronous: bool) -> Self {
        let statement = settings.statement_timeout.as_millis().max(1);
        let idle = settings.transaction_timeout.as_millis().max(1);
        // What is acknowledged is on disk, whatever the database's default is.
        let durable = if synchronous { "" } else { "; SET LOCAL synchronous_commit = on" };
        let writes = format!("{durable}; {}", settling::HELD);
        let limits = format!(
            "SET LOCAL statement_timeout = {statement}; \
             SET LOCAL idle_in_transaction_session_timeout = {idle}"
        );
        let begin = |mode: &str, more: &str, plans: &str| -> Arc<str> {
            format!("BEGIN ISOLATION LEVEL {mode}; {limits}{more}{plans}").into()
        };
        let modes = |plans| Modes {
            read: begin("REPEATABLE READ READ ONLY", "", plans),
            write: begin("REPEATABLE READ READ WRITE", &writes, plans),
            write_latest: begin("READ COMMITTED READ WRITE", &writes, plans),
        };
        Self { estimated: modes(""), by_index: modes(BY_INDEX), limits: limits.clone().into() }
    }

    fn of<T: Transaction>(&self, writes: bool) -> Arc<str> {
        let modes = match T::PLANS {
            Plans::Estimated => &self.estimated,
            Plans::ByIndex => &self.by_index,
        };
        Arc::clone(match (writes, T::SEES) {
            (false, _) => &modes.read,
            (true, Sees::OneSnapshot) => &modes.write,
            (true, Sees::EachCommit) => &modes.write_latest,
        })
    }
}

/// Why a PostgreSQL database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It cannot be reached. It may be later.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// It can be reached and refuses: the password, the user, the database's name, its version.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// The file of root certificates cannot be used.
    #[error("the root certificates in {path} cannot be used: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Its schema is not this binary's.
    #[error(transparent)]
    Migration(#[from] MigrationError),
}

impl PostgresError {
    pub(crate) fn of(error: &tokio_postgres::Error, url: &PostgresUrl) -> Self {
        let text = format!("{url}: {}", describe(error));
        let refused = error.code().is_some_and(|state| {
            state.code().starts_with("28")
                || [&SqlState::INVALID_CATALOG_NAME, &SqlState::INSUFFICIENT_PRIVILEGE]
                    .contains(&state)
        });
        if refused { Self::Refused(text) } else { Self::Unavailable(text) }
    }

    fn late(url: &PostgresUrl) -> Self {
        Self::Unavailable(format!("{url}: it did not answer in time"))
    }
}

impl Postgres {
    /// Connects to a database whose schema is this binary's.
    ///
    /// # Errors
    /// When it cannot be reached, refuses, or when its schema is older (`wharf migrate` helps) or newer.
    pub async fn connect(settings: PostgresSettings) -> std::result::Result<Self, PostgresError> {
        Self::connect_with(settings, None).await
    }

    /// The same with another clock than the database's own, for tests.
    ///
    /// # Errors
    /// As [`Postgres::connect`].
    #[cfg(any(test, feature = "contract"))]
    pub async fn connect_with_clock(
        settings: PostgresSettings,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, PostgresError> {
        Self::connect_with(settings, Some(clock)).await
    }

    /// Brings the schema up to date, by the direct URL if there is one. Returns the versions that were applied.
    /// Any number of nodes may do so at once.
    ///
    /// # Errors
    /// When the database cannot be reached, is newer than this binary, or a step fails; that step has then left
    /// nothing behind.
    pub async fn migrate(
        settings: &PostgresSettings,
    ) -> std::result::Result<Vec<i64>, PostgresError> {
        migrate::migrate(settings).await
    }

    async fn connect_with(
        settings: PostgresSettings,
        clock: Option<Arc<dyn Clock>>,
    ) -> std::result::Result<Self, PostgresError> {
        let pool = pool(&settings)?;
        let synchronous = look(&pool, &settings).await?;
        let begins = Begins::new(&settings, synchronous);
        let replicas = match settings.replicas.is_empty() {
            true => None,
            false => Some(Replicas::open(&settings, clock.as_ref()).await?),
        };
        Ok(Self { pool, settings, begins, clock, replicas, shards: Shards::new() })
    }

    /// What a replica knows, however old, while the primary is away.
    pub(crate) async fn last_known<T: Transaction>(&self, transaction: T) -> Option<T::Output> {
        self.replicas.as_ref()?.last_known(&transaction).await
    }

    async fn run<T: Transaction>(&self, transaction: &T, writes: bool) -> Result<T::Output> {
        let mut tries = Tries::new(self.settings.transaction_timeout);
        loop {
            match self.attempt(transaction, writes, tries.deadline).await {
                Ok(output) => return Ok(output),
                Err(failure) if failure.is_late => return Err(T::late(failure.error)),
                Err(failure) => tries.again(failure).await?,
            }
        }
    }

    /// The connections, to be counted.
    pub fn connections(&self) -> Connections {
        Connections(self.pool.clone())
    }

    async fn attempt<T: Transaction>(
        &self,
        transaction: &T,
        writes: bool,
        deadline: Instant,
    ) -> std::result::Result<T::Output, Failure> {
        let client = self.pool.get().await.map_err(|error| Failure::of_pool(&error))?;
        let beginning = Beginning::AtOnce(self.begins.of::<T>(writes));
        let mut session = Session::new(client, beginning, self.clock.clone());
        if writes {
            session = session.with_shard(self.shards.take());
        }
        let run = async {
            if writes {
                session.open(PROTOCOL).await?;
            }
            transaction.run(&mut session).await
        };
        let result = timeout_at(deadline, run).await;
        let result = result.map_err(|_| Failure::late("a transaction"))?;
        let output = session.outcome(result)?;
        if writes {
            session.commit(self.settings.statement_timeout).await?;
        } else {
            session.end();
        }
        Ok(output)
    }
}

impl Engine for Postgres {
    /// Only who wants the same rows waits.
    const MOMENT: Duration = Duration::from_millis(40);

    async fn write<T: Transaction>(&self, transaction: T) -> Result<T::Output> {
        self.run(&transaction, true).await
    }

    async fn settle(&self) -> Result<()> {
        settling::settle(self).await
    }

    async fn read<T: Transaction>(&self, transaction: T) -> Result<T::Output> {
        if T::READS == Reads::Replica
            && let Some(replicas) = &self.replicas
            && let Some(read) = replicas.read(&transaction).await
        {
            return read;
        }
        self.run(&transaction, false).await
    }
}

fn pool(settings: &PostgresSettings) -> std::result::Result<Pool, PostgresError> {
    let tls = tls::connector(settings.url.wants_tls(), settings.root_certificates.as_deref())?;
    let config = settings.url.config(settings);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Pool::builder(Manager::from_config(config, tls, recycling))
        .max_size(settings.connections.max(1))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(settings.pool_timeout))
        .create_timeout(Some(settings.connect_timeout))
        .recycle_timeout(Some(settings.connect_timeout))
        .build()
        .map_err(|error| PostgresError::Unavailable(error.to_string()))
}

/// Those of the tables that each push writes to which the role may not write to, with commas between them; null where
/// it may.
const LACKING: &str = "
    SELECT string_agg(c.relname, ', ' ORDER BY c.relname)
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace
      AND c.relname IN ('events', 'manifests', 'repositories', 'site_writes', 'tags', 'uploads')
      AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT'))";

/// Fails where the role may not do what a node does.
async fn require_rights(
    client: &deadpool_postgres::Object,
    settings: &PostgresSettings,
) -> std::result::Result<(), PostgresError> {
    let url = &settings.url;
    let asked = timeout(settings.statement_timeout, client.query_typed_one(LACKING, &[])).await;
    let row = asked.map_err(|_| PostgresError::late(url))?;
    let lacking: Option<String> =
        row.and_then(|row| row.try_get(0)).map_err(|error| PostgresError::of(&error, url))?;
    lacking.map_or(Ok(()), |tables| {
        Err(PostgresError::Refused(format!(
            "{url}: the role may not write to the tables {tables} (GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES \
             IN SCHEMA)"
        )))
    })
}

/// Looks whether the database is one that this binary can work with, and whether a commit waits for the disk there.
async fn look(
    pool: &Pool,
    settings: &PostgresSettings,
) -> std::result::Result<bool, PostgresError> {
    let url = &settings.url;
    let client = pool.get().await.map_err(|error| match error {
        deadpool_postgres::PoolError::Backend(error) => PostgresError::of(&error, url),
        deadpool_postgres::PoolError::Timeout(_) => PostgresError::late(url),
        other => PostgresError::Unavailable(format!("{url}: {other}")),
    })?;
    let looking = async {
        let found = migrate::found(&client).await?;
        let sql = "SELECT current_setting('server_version_num')::bigint, current_setting('synchronous_commit')";
        Ok((found, client.query_typed_one(sql, &[]).await?))
    };
    let looked = timeout(settings.statement_timeout, looking).await;
    let (found, row) = looked
        .map_err(|_| PostgresError::late(url))?
        .map_err(|error: tokio_postgres::Error| PostgresError::of(&error, url))?;
    if row.get::<_, i64>(0) < 130_000 {
        return Err(PostgresError::Refused(format!("{url}: wharf needs PostgreSQL 13 or newer")));
    }
    migrate::require_newest(&found)?;
    let asking = client.query_typed_one("SELECT minimum FROM schema_protocol", &[]);
    let minimum: i64 = timeout(settings.statement_timeout, asking)
        .await
        .map_err(|_| PostgresError::late(url))?
        .and_then(|row| row.try_get(0))
        .map_err(|error| PostgresError::of(&error, url))?;
    if minimum > PROTOCOL {
        return Err(PostgresError::Refused(session::left_behind(minimum, PROTOCOL)));
    }
    require_rights(&client, settings).await?;
    Ok(row.get::<_, &str>(1) != "off")
}
