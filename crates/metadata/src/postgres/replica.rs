//! One read replica: its connections, its standing, and a read on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError, TimeoutType};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::types::PgLsn;
use wharf_core::StoreError;
use wharf_core::clock::Clock;

use super::caught_up::Check;
use super::failure::{Again, Failure};
use super::position::Position;
use super::session::{Beginning, Session};
use super::standing::{Fault, Standing};
use super::{Begins, PostgresError, PostgresSettings, PostgresUrl};
use crate::engine::Transaction;

/// How long a read may take on a replica, with all waits, before it is asked for elsewhere.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a replica may be behind what it was asked for, and be waited for.
pub(super) const LONGEST_LAG: Duration = Duration::from_millis(50);

/// The pause before a replica is asked again whether it has caught up.
pub(super) const LAG_STEP: Duration = Duration::from_millis(4);

/// A read replica.
pub(super) struct Replica {
    pool: Pool,
    begins: Begins,
    clock: Option<Arc<dyn Clock>>,
    pub(super) standing: Standing,
    /// A place that it had not come to when it was asked for, and since when.
    owed: Mutex<Option<(PgLsn, Instant)>>,
}

impl Replica {
    /// A replica that nobody has asked yet.
    pub(super) fn new(
        url: &PostgresUrl,
        settings: &PostgresSettings,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self, PostgresError> {
        let settings = PostgresSettings {
            url: url.clone(),
            connect_timeout: settings.connect_timeout.min(PATIENCE),
            pool_timeout: settings.pool_timeout.min(PATIENCE),
            statement_timeout: settings.statement_timeout.min(PATIENCE),
            ..settings.clone()
        };
        Ok(Self {
            pool: super::pool(&settings)?,
            begins: Begins::new(&settings, true),
            clock,
            standing: Standing::new(url.to_string()),
            owed: Mutex::default(),
        })
    }

    /// Runs a transaction that only reads, with all that was committed up to `after`; where that is not given,
    /// with what there is. A failure that is the replica's own is remembered.
    pub(super) async fn read<T: Transaction>(
        &self,
        transaction: &T,
        after: Option<Position>,
    ) -> Result<T::Output, Failure> {
        let read = async {
            let client = self.connection().await?;
            let beginning = match after {
                Some(position) => {
                    Beginning::CaughtUp(Check(position), Arc::clone(&self.begins.limits))
                }
                None => Beginning::AtOnce(Arc::clone(&self.begins.estimated.read)),
            };
            let mut session = Session::new(client, beginning, self.clock.clone());
            let result = transaction.run(&mut session).await;
            let output = session.outcome(result)?;
            session.end();
            Ok(output)
        };
        let read = timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(late()));
        match &read {
            Ok(_) => {
                *self.owed() = None;
                self.standing.did_well();
            }
            Err(failure) => self.blame(failure, after),
        }
        read
    }

    /// Tries whether it can be used again.
    pub(super) async fn try_out(&self, position: Position) {
        let until = Instant::now() + LONGEST_LAG;
        loop {
            let look = async { Check(position).look(&self.connection().await?).await };
            let looked = timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(late()));
            let Err(failure) = looked else { return self.standing.take_up() };
            let fault = match failure.again {
                Some(Again::Behind(_)) if Instant::now() < until => {
                    sleep(LAG_STEP).await;
                    continue;
                }
                Some(Again::Behind(_)) => Fault::Late,
                Some(Again::Foreign) => Fault::Foreign,
                _ => Fault::Failed,
            };
            let reason = failure.error.to_string();
            return self.standing.tried_in_vain(fault, &reason, Instant::now());
        }
    }

    async fn connection(&self) -> Result<Object, Failure> {
        self.pool.get().await.map_err(|error| {
            let mut failure = Failure::of_pool(&error);
            if matches!(error, PoolError::Timeout(TimeoutType::Wait)) {
                failure.again = Some(Again::Busy);
            }
            failure
        })
    }

    /// Leaves the replica alone where the failure of a read is its own.
    fn blame(&self, failure: &Failure, after: Option<Position>) {
        let now = Instant::now();
        let fault = match (failure.again, after) {
            (Some(Again::Behind(place)), Some(asked)) => {
                if !self.is_late(place, asked.place, now) {
                    return;
                }
                Fault::Late
            }
            (Some(Again::Foreign), _) => Fault::Foreign,
            // What it replays was in the way of the read, or others were.
            (Some(Again::Conflict | Again::Busy), _) => return,
            // Of what is stored, or of the statement, the primary can say whether that is so.
            _ if !matches!(failure.error, StoreError::Unavailable(_)) => return,
            _ => Fault::Failed,
        };
        self.standing.leave_alone(fault, &failure.error.to_string(), now);
    }

    /// Whether a replica at `place` has been behind for too long. It may be a little behind each time it is asked,
    /// as long as it comes to each place in time.
    fn is_late(&self, place: PgLsn, asked: PgLsn, now: Instant) -> bool {
        let mut owed = self.owed();
        match *owed {
            Some((owing, since)) if place < owing => {
                let is_late = now.duration_since(since) >= LONGEST_LAG;
                if is_late {
                    *owed = None;
                }
                is_late
            }
            _ => {
                *owed = Some((asked, now));
                false
            }
        }
    }

    fn owed(&self) -> std::sync::MutexGuard<'_, Option<(PgLsn, Instant)>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn late() -> Failure {
    Failure::late("a read of a replica")
}
