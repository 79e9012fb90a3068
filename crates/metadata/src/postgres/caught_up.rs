//! The check that a replica has come far enough, on the same trip as the transaction that relies on it.

use deadpool_postgres::Object;
use futures_util::future::join3;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Error, Row};
use wharf_core::StoreError;

use super::failure::{Again, Failure};
use super::position::Position;

/// The check stands in a transaction of its own: a replica goes on replaying, and a snapshot taken before the
/// check could be older than what the check found.
const BEGIN_CHECK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How far it has come: nowhere where it is no replica. Which cluster's it is, and since which promotion; the
/// latter it may know some minutes late, which is on the safe side.
const CHECK: &str = "
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END,
           (SELECT timeline_id FROM pg_control_checkpoint()),
           (SELECT system_identifier FROM pg_control_system())";

/// Ends that transaction and begins the next without a moment between them in which a PgBouncer could give the
/// connection to another server.
const CHAIN: &str = "COMMIT AND CHAIN; ";

/// What a replica must have replayed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check(pub(super) Position);

impl Check {
    /// Begins a transaction whose snapshot is taken after the check; `sql` sets its limits.
    pub(super) async fn begin(self, client: &Object, sql: &str) -> Result<(), Failure> {
        let chain = format!("{CHAIN}{sql}");
        let (begun, row, chained) = join3(
            client.batch_execute(BEGIN_CHECK),
            client.query_typed_one(CHECK, &[]),
            client.batch_execute(&chain),
        )
        .await;
        begun.map_err(|error| Failure::of(&error))?;
        self.judge(row)?;
        chained.map_err(|error| Failure::of(&error))
    }

    /// Only looks.
    pub(super) async fn look(self, client: &Object) -> Result<(), Failure> {
        self.judge(client.query_typed_one(CHECK, &[]).await)
    }

    fn judge(self, row: Result<Row, Error>) -> Result<(), Failure> {
        let read = row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
        let (place, timeline, system): (Option<PgLsn>, i32, i64) =
            read.map_err(|error| Failure::of(&error))?;
        let Self(asked) = self;
        let Some(place) = place else {
            return Err(foreign("it is no replica: it follows nobody".into()));
        };
        if system != asked.system {
            return Err(foreign("it is a replica of another database cluster".into()));
        }
        if timeline != asked.timeline {
            let (known, now) = (timeline, asked.timeline);
            return Err(foreign(format!(
                "it knows of timeline {known} and the primary is on {now}, since a replica was promoted"
            )));
        }
        if place < asked.place {
            let text = format!("it has come to {place}, the primary to {}", asked.place);
            let error = StoreError::Unavailable(text);
            return Err(Failure::new(error, Some(Again::Behind(place))));
        }
        Ok(())
    }
}

fn foreign(text: String) -> Failure {
    Failure::new(StoreError::Unavailable(text), Some(Again::Foreign))
}
