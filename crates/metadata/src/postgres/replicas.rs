//! Reads on replicas that show nothing older than what was acknowledged before they were asked for: each waits
//! for the primary's position, and for a replica that has come to it, or goes to the primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use wharf_core::clock::Clock;

use super::failure::Again;
use super::position::{Answer, Positions};
use super::replica::{LAG_STEP, LONGEST_LAG, Replica};
use super::standing::Fault;
use super::{PostgresError, PostgresSettings};
use crate::engine::{Result, Transaction};

/// The read replicas of a database.
pub(super) struct Replicas {
    all: Vec<Arc<Replica>>,
    positions: Arc<Positions>,
    /// Whose turn it is.
    turn: AtomicUsize,
}

impl Replicas {
    /// Those that the settings name, at least one, each tried once; one that cannot be used now is told, and tried again later.
    pub(super) async fn open(
        settings: &PostgresSettings,
        clock: Option<&Arc<dyn Clock>>,
    ) -> std::result::Result<Self, PostgresError> {
        let opened = settings.replicas.iter().map(|url| {
            let replica = Replica::new(url, settings, clock.cloned())?;
            Ok(Arc::new(replica))
        });
        let all: Vec<_> = opened.collect::<std::result::Result<_, PostgresError>>()?;
        let positions = Arc::new(Positions::new(settings)?);
        if let Answer::At(position) = positions.ask().await {
            join_all(all.iter().map(|replica| replica.try_out(position))).await;
        }
        Ok(Self { all, positions, turn: AtomicUsize::new(0) })
    }

    /// Runs a transaction that only reads on a replica. `None` where no replica can, and the primary is to be
    /// asked; an error where the primary cannot be reached.
    pub(super) async fn read<T: Transaction>(&self, transaction: &T) -> Option<Result<T::Output>> {
        let mut usable = self.usable();
        if usable.is_empty() {
            return None;
        }
        let position = match self.positions.ask().await {
            Answer::At(position) => position,
            Answer::Away(error) => return Some(Err(error)),
            Answer::Untold => return None,
        };
        let until = Instant::now() + LONGEST_LAG;
        loop {
            let mut any_behind = false;
            for replica in usable {
                match replica.read(transaction, Some(position)).await {
                    Ok(output) => return Some(Ok(output)),
                    Err(failure) => any_behind |= matches!(failure.again, Some(Again::Behind(_))),
                }
            }
            if !any_behind || Instant::now() >= until {
                return None;
            }
            sleep(LAG_STEP).await;
            usable = self.usable();
        }
    }

    /// Runs a transaction that only reads on a replica, however far that has come. `None` while the primary is
    /// there, and where no replica answers.
    pub(super) async fn last_known<T: Transaction>(&self, transaction: &T) -> Option<T::Output> {
        if !matches!(self.positions.ask().await, Answer::Away(_)) {
            return None;
        }
        let mut replicas = self.in_turn();
        replicas.retain(|replica| replica.standing.fault() != Some(Fault::Foreign));
        // Any is better than none.
        replicas.sort_by_key(|replica| replica.standing.fault());
        for replica in replicas {
            if let Ok(output) = replica.read(transaction, None).await {
                return Some(output);
            }
        }
        None
    }

    /// Those that are used now. The others are tried in the background, where it is time to.
    fn usable(&self) -> Vec<&Arc<Replica>> {
        let mut replicas = self.in_turn();
        replicas.retain(|replica| {
            if replica.standing.may_be_tried(Instant::now()) {
                let (replica, positions) = (Arc::clone(replica), Arc::clone(&self.positions));
                tokio::spawn(async move {
                    if let Answer::At(position) = positions.ask().await {
                        replica.try_out(position).await;
                    }
                });
            }
            replica.standing.fault().is_none()
        });
        replicas
    }

    /// All, each in its turn the first.
    fn in_turn(&self) -> Vec<&Arc<Replica>> {
        let mut replicas: Vec<_> = self.all.iter().collect();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len();
        replicas.rotate_left(first);
        replicas
    }
}
