//! How far the primary has come, asked for together: while one question is on its way, all that come meanwhile
//! gather for the next. So reads of replicas cost the primary few questions, however many they are, and each is
//! answered by one that was asked after it came.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Pool, PoolError};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::PgLsn;
use wharf_core::StoreError;

use super::failure::{Again, Failure};
use super::retry::Tries;
use super::{PostgresError, PostgresSettings};

/// A commit is acknowledged once it is flushed, so each that was acknowledged before this was asked lies at or
/// before the place. A place means nothing without its history: that of which cluster, and since which promotion.
const ASK: &str = "
    SELECT place, ('x' || left(pg_walfile_name(place), 8))::bit(32)::int,
           (SELECT system_identifier FROM pg_control_system())
    FROM pg_current_wal_flush_lsn() AS place";

/// How long a question may take, with all its tries.
const LONGEST_QUESTION: Duration = Duration::from_secs(3);

/// How long anybody waits for an answer once the primary has failed to give one.
const PATIENCE_WHEN_AWAY: Duration = Duration::from_secs(1);

/// A place in the history of a database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The place in the log.
    pub(super) place: PgLsn,
    /// The line of history: each promotion of a replica begins another one, whose places say nothing of the first.
    pub(super) timeline: i32,
    /// The cluster.
    pub(super) system: i64,
}

/// What the primary answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// It stands here.
    At(Position),
    /// It cannot be reached, or is no primary.
    Away(StoreError),
    /// It does not tell. It may do other things all the same.
    Untold,
}

/// The questions.
pub(super) struct Positions {
    gathering: Arc<Gathering>,
    asking: JoinHandle<()>,
    patience: Duration,
}

#[derive(Default)]
struct Gathering {
    waiting: Mutex<Vec<oneshot::Sender<Answer>>>,
    came: Notify,
    /// Whether the last question found nobody.
    is_away: AtomicBool,
}

impl Positions {
    /// Asks the primary of these settings on a connection of its own, so that no question waits for one while the
    /// others are in use. Called inside a runtime.
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, PostgresError> {
        let gathering = Arc::new(Gathering::default());
        let pool = super::pool(&PostgresSettings { connections: 1, ..settings.clone() })?;
        let limit = settings.statement_timeout.min(LONGEST_QUESTION);
        let asking = tokio::spawn(ask_for_ever(Arc::clone(&gathering), pool, limit));
        // Two questions: the one under way and the next.
        Ok(Self { gathering, asking, patience: limit * 2 })
    }

    /// Where the primary stands, as of some moment after this was called.
    pub(super) async fn ask(&self) -> Answer {
        let (answer, answered) = oneshot::channel();
        {
            let waiting = self.gathering.waiting.lock();
            waiting.unwrap_or_else(PoisonError::into_inner).push(answer);
        }
        self.gathering.came.notify_one();
        let is_away = self.gathering.is_away.load(Ordering::Relaxed);
        let patience = if is_away { PATIENCE_WHEN_AWAY } else { self.patience };
        match timeout(patience, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Answer::Away(late().error),
        }
    }
}

impl Drop for Positions {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

async fn ask_for_ever(gathering: Arc<Gathering>, pool: Pool, limit: Duration) {
    loop {
        gathering.came.notified().await;
        let waiting = {
            let mut waiting = gathering.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        if waiting.is_empty() {
            continue;
        }
        let answer = patiently(&pool, limit).await;
        gathering.is_away.store(matches!(answer, Answer::Away(_)), Ordering::Relaxed);
        for one in waiting {
            // Who does not wait any more needs no answer.
            let _ = one.send(answer.clone());
        }
    }
}

/// Asks once, and again where a connection turns out to be lost.
async fn patiently(pool: &Pool, limit: Duration) -> Answer {
    let mut tries = Tries::new(limit);
    loop {
        let asked = timeout_at(tries.deadline, ask(pool)).await;
        let Unanswered { failure, is_away } = match asked {
            Ok(Ok(position)) => return Answer::At(position),
            Ok(Err(unanswered)) => unanswered,
            Err(_) => Unanswered { failure: late(), is_away: true },
        };
        if let Err(error) = tries.again(failure).await {
            return if is_away { Answer::Away(error) } else { Answer::Untold };
        }
    }
}

/// Why there is no answer, and whether that is because nobody is there who could give one.
struct Unanswered {
    failure: Failure,
    is_away: bool,
}

impl Unanswered {
    fn of(error: &tokio_postgres::Error) -> Self {
        let failure = Failure::of(error);
        // A server that only follows another one has no position of its own.
        let follows = error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        let is_away = follows || failure.again == Some(Again::Lost);
        Self { failure, is_away }
    }

    fn of_pool(error: &PoolError) -> Self {
        Self { failure: Failure::of_pool(error), is_away: true }
    }
}

fn late() -> Failure {
    Failure::late("the question for the primary's position")
}

async fn ask(pool: &Pool) -> Result<Position, Unanswered> {
    let client = pool.get().await.map_err(|error| Unanswered::of_pool(&error))?;
    let row = client.query_typed_one(ASK, &[]).await;
    let read = row.and_then(|row| {
        Ok(Position { place: row.try_get(0)?, timeline: row.try_get(1)?, system: row.try_get(2)? })
    });
    read.map_err(|error| Unanswered::of(&error))
}
