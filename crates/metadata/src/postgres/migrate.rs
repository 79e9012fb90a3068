//! The schema of a PostgreSQL database: brought up to date by one node at a time, and looked at by all others.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use wharf_oci::{Algorithm, Hasher};

use super::failure::describe;
use super::{PostgresError, PostgresSettings, tls};
use crate::migrations::{MIGRATIONS, Migration, MigrationError, newest};

/// The advisory lock of migrations: the letters of "wharf" and a number.
const LOCK: i64 = 0x77_68_61_72_66_01;

/// How long a migration waits for another node's.
const LONGEST_TURN: Duration = Duration::from_secs(60);

/// How long a step waits for a table that is in use. Whoever wants that table meanwhile waits behind the step; and where a writer
/// and the step wait for each other, it is the step that gives way: PostgreSQL looks for such a pair after a second.
const LONGEST_LOCK: Duration = Duration::from_millis(500);

/// How long a step that did not get its tables stays away from them, so that those go on who waited behind it.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a step is tried again before the migration fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the database says of its schema: each version with its checksum.
pub(super) type Found = Vec<(i64, Vec<u8>)>;

/// What a step is, so that a database made by another text of it is noticed.
pub(super) fn checksum(migration: &Migration) -> Vec<u8> {
    Hasher::digest(Algorithm::Sha256, migration.postgres.as_bytes()).to_binary()
}

/// The schema of the database, empty where it has none.
pub(super) async fn found(client: &Client) -> Result<Found, Error> {
    let sql = "SELECT version, checksum FROM schema_migrations ORDER BY version";
    match client.query_typed(sql, &[]).await {
        Ok(rows) => rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect(),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What the database lacks. One that a newer binary has brought further lacks nothing: nodes of two versions work
/// side by side for as long as `schema_protocol` allows the older one.
fn missing(found: &Found) -> Result<&'static [Migration], MigrationError> {
    for (step, (version, sum)) in MIGRATIONS.iter().zip(found) {
        if step.version == *version && checksum(step) != *sum {
            return Err(MigrationError::Changed { version: step.version, name: step.name });
        }
    }
    let at = found.last().map_or(0, |(version, _)| *version);
    Ok(&MIGRATIONS[MIGRATIONS.partition_point(|step| step.version <= at)..])
}

/// Fails where the database is older than this binary.
pub(super) fn require_newest(found: &Found) -> Result<(), MigrationError> {
    if missing(found)?.is_empty() {
        return Ok(());
    }
    let at = found.last().map_or(0, |(version, _)| *version);
    Err(MigrationError::Behind { found: at, known: newest() })
}

/// Applies what the database lacks. Returns the versions that were applied.
pub(super) async fn migrate(settings: &PostgresSettings) -> Result<Vec<i64>, PostgresError> {
    let (client, driver) = connect(settings).await?;
    let (mut applied, mut began) = (Vec::new(), Instant::now());
    let result = loop {
        match step(&client).await {
            Ok(Step::Applied(version)) => {
                applied.push(version);
                began = Instant::now();
            }
            Ok(Step::None) => break Ok(applied),
            Ok(Step::Hindered(error)) if began.elapsed() > PATIENCE => break Err(error.into()),
            Ok(Step::Hindered(error)) => {
                tracing::info!(%error, "others use the tables of a migration; it is tried again");
                sleep(PAUSE).await;
            }
            Err(error) => break Err(error),
        }
    };
    drop(client);
    // It says good-bye and ends; a server that does not listen is not waited for.
    let _ = timeout(Duration::from_secs(1), driver).await;
    result
}

/// What became of a step.
enum Step {
    /// It was applied.
    Applied(i64),
    /// There was none.
    None,
    /// Others used the tables that it changes; nothing was changed, and it may be tried again.
    Hindered(MigrationError),
}

/// Whether a step failed of others who use the same tables: for too long, or each waited for the other.
fn is_hindered(error: &Error) -> bool {
    let code = error.code();
    code == Some(&SqlState::LOCK_NOT_AVAILABLE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}

/// Applies the next step in a transaction of its own, alone among all nodes.
async fn step(client: &Client) -> Result<Step, PostgresError> {
    let failed = |version, name| {
        move |error: Error| MigrationError::Failed { version, name, reason: explained(&error) }
    };
    let start = failed(0, "schema_migrations");
    // The lock is the transaction's, so that it cannot outlive it behind PgBouncer either.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {};
         SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK});
         CREATE TABLE IF NOT EXISTS schema_migrations (
             version     bigint NOT NULL PRIMARY KEY,
             name        text   NOT NULL,
             checksum    bytea  NOT NULL,
             applied_at  bigint NOT NULL
         )",
        LONGEST_TURN.as_millis()
    );
    client.batch_execute(&begin).await.map_err(start)?;
    let found = found(client).await.map_err(start)?;
    let Some(next) = missing(&found)?.first() else {
        client.batch_execute("COMMIT").await.map_err(start)?;
        return Ok(Step::None);
    };
    let apply = async {
        let longest = format!("SET LOCAL lock_timeout = {}", LONGEST_LOCK.as_millis());
        client.batch_execute(&longest).await?;
        client.batch_execute(next.postgres).await?;
        client
            .execute_typed(
                "INSERT INTO schema_migrations (version, name, checksum, applied_at)
                 VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)",
                &[
                    (&next.version, tokio_postgres::types::Type::INT8),
                    (&next.name, tokio_postgres::types::Type::TEXT),
                    (&checksum(next), tokio_postgres::types::Type::BYTEA),
                ],
            )
            .await?;
        client.batch_execute("COMMIT").await
    };
    let failed = failed(next.version, next.name);
    match apply.await {
        Ok(()) => Ok(Step::Applied(next.version)),
        Err(error) if is_hindered(&error) => {
            client.batch_execute("ROLLBACK").await.map_err(start)?;
            Ok(Step::Hindered(failed(error)))
        }
        Err(error) => Err(failed(error).into()),
    }
}

/// What a step failed of, with what a person can do about missing rights.
fn explained(error: &Error) -> String {
    let said = describe(error);
    if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return said;
    }
    format!(
        "{said} (let the role make tables, by GRANT CREATE ON SCHEMA; or set database.migrate = false and have \
         `wharf migrate` run by one that may)"
    )
}

/// A connection beside the pool.
pub(crate) async fn connect(
    settings: &PostgresSettings,
) -> Result<(Client, JoinHandle<()>), PostgresError> {
    let url = settings.direct();
    let tls = tls::connector(url.wants_tls(), settings.root_certificates.as_deref())?;
    let config = url.config(settings);
    let connected = timeout(settings.connect_timeout, config.connect(tls)).await;
    let (client, connection) = connected
        .map_err(|_| PostgresError::late(url))?
        .map_err(|error| PostgresError::of(&error, url))?;
    let driver = tokio::spawn(async move {
        // Its error is that of the statement that was under way.
        let _ = connection.await;
    });
    Ok((client, driver))
}
