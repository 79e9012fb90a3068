//! When a transaction runs again: after a conflict, a race of keys, or a lost connection, a bounded number of
//! times, each after a wait that grows and is partly chance.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wharf_core::StoreError;
use wharf_core::clock::{Random, SystemRandom};

use super::failure::{Again, Failure};

/// How often a transaction runs again after a conflict. Somebody else came forward each time.
const CONFLICTS: u32 = 200;
/// How often after a broken key. A rule that is truly broken is told soon.
const CONSTRAINTS: u32 = 8;
/// How often after a lost connection, as when a server was started anew under a pool of connections.
const LOSSES: u32 = 3;

/// The longest wait between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The tries of one transaction.
pub(super) struct Tries {
    /// When it gives up.
    pub(super) deadline: Instant,
    conflicts: u32,
    constraints: u32,
    losses: u32,
}

impl Tries {
    pub(super) fn new(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, conflicts: 0, constraints: 0, losses: 0 }
    }

    /// Waits before the next try, if there is to be one.
    pub(super) async fn again(&mut self, failure: Failure) -> Result<(), StoreError> {
        sleep(self.next(failure)?).await;
        Ok(())
    }

    /// How long to wait before the next try.
    fn next(&mut self, failure: Failure) -> Result<Duration, StoreError> {
        let (count, most) = match failure.again {
            None | Some(Again::Behind(_) | Again::Busy | Again::Foreign) => {
                return Err(failure.error);
            }
            Some(Again::Conflict) => (&mut self.conflicts, CONFLICTS),
            Some(Again::Constraint) => (&mut self.constraints, CONSTRAINTS),
            Some(Again::Lost) => (&mut self.losses, LOSSES),
        };
        *count += 1;
        let pause = pause(*count);
        if *count > most || Instant::now() + pause >= self.deadline {
            return Err(failure.error);
        }
        Ok(pause)
    }
}

/// A random part of a span that doubles with each try.
fn pause(count: u32) -> Duration {
    let longest = Duration::from_millis(2).saturating_mul(1 << count.min(10)).min(LONGEST_PAUSE);
    let mut chance = [0; 2];
    SystemRandom.fill(&mut chance);
    longest * u32::from(u16::from_le_bytes(chance)) / u32::from(u16::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn failure(again: Option<Again>) -> Failure {
        Failure::new(StoreError::Unavailable("so it is".into()), again)
    }

    #[test]
    fn tries_are_bounded_in_count_and_in_time() {
        for (again, most) in [
            (Some(Again::Conflict), CONFLICTS),
            (Some(Again::Constraint), CONSTRAINTS),
            (Some(Again::Lost), LOSSES),
            (None, 0),
        ] {
            let mut tries = Tries::new(Duration::from_secs(3600));
            for _ in 0..most {
                assert!(tries.next(failure(again)).unwrap() <= LONGEST_PAUSE);
            }
            tries.next(failure(again)).unwrap_err();
            Tries::new(Duration::ZERO).next(failure(again)).unwrap_err();
        }
    }
}
