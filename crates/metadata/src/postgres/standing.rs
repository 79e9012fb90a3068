//! Whether a replica is used: one that fails or is late is left alone for a while, longer each time it does so
//! again, and is tried in the background before anybody relies on it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wharf_core::clock::{Random, SystemRandom};

/// How long a replica is left alone at first.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// How long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a replica is left alone, the least bad first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It is too far behind the primary.
    Late,
    /// It does not answer, or not as it should.
    Failed,
    /// It is no replica of this primary.
    Foreign,
}

/// The standing of one replica.
pub(super) struct Standing {
    /// Which, for people.
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why it is left alone, if it is, and until when.
    alone: Option<(Fault, Instant)>,
    /// How often it was left alone since a read went well.
    count: u32,
}

impl Standing {
    pub(super) fn new(name: String) -> Self {
        Self { name, state: Mutex::default() }
    }

    /// Why it is left alone; `None` while it is used.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.state().alone.map(|(fault, _)| fault)
    }

    /// Whether its pause is over at `now`. Says so to one, who tries it and tells how that went.
    pub(super) fn may_be_tried(&self, now: Instant) -> bool {
        let mut state = self.state();
        let Some((fault, until)) = state.alone else { return false };
        let is_over = now >= until;
        if is_over {
            // Should the try be lost, another comes.
            state.alone = Some((fault, now + LONGEST_PAUSE));
        }
        is_over
    }

    /// Leaves it alone from `now`, for `reason`, unless it is left alone already.
    pub(super) fn leave_alone(&self, fault: Fault, reason: &str, now: Instant) {
        let mut state = self.state();
        // Of the reads that were under way together, the first has said so.
        if state.alone.is_none_or(|(known, _)| known < fault) {
            self.pause(&mut state, fault, reason, now);
        }
    }

    /// A try failed.
    pub(super) fn tried_in_vain(&self, fault: Fault, reason: &str, now: Instant) {
        self.pause(&mut self.state(), fault, reason, now);
    }

    /// Uses it again, after a try that went well.
    pub(super) fn take_up(&self) {
        if self.state().alone.take().is_some() {
            tracing::info!(replica = %self.name, "a read replica is used again");
        }
    }

    /// A read went well.
    pub(super) fn did_well(&self) {
        self.state().count = 0;
    }

    fn pause(&self, state: &mut State, fault: Fault, reason: &str, now: Instant) {
        if state.alone.is_none_or(|(known, _)| known != fault) {
            tracing::warn!(replica = %self.name, reason, "a read replica is left alone");
        }
        state.count = state.count.saturating_add(1);
        state.alone = Some((fault, now + pause(state.count)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pause that doubles with each time, up to a quarter longer, so that not all nodes try at once.
fn pause(count: u32) -> Duration {
    let doubled = SHORTEST_PAUSE.saturating_mul(1 << count.saturating_sub(1).min(10));
    let mut chance = [0];
    SystemRandom.fill(&mut chance);
    let pause = doubled.min(LONGEST_PAUSE);
    pause + pause * u32::from(chance[0]) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it is left alone when it fails at `now`.
    fn pause_at(standing: &Standing, now: Instant) -> Duration {
        let steps = (0..).map(|step| Duration::from_millis(10) * step);
        let mut pauses = steps.skip_while(|after| !standing.may_be_tried(now + *after));
        pauses.next().unwrap_or_default()
    }

    #[test]
    fn pauses_grow_until_a_read_goes_well() {
        let (standing, now) = (Standing::new("a".into()), Instant::now());
        standing.leave_alone(Fault::Failed, "so it is", now);
        let mut pauses = vec![pause_at(&standing, now)];
        for _ in 0..8 {
            standing.tried_in_vain(Fault::Failed, "so it is", now);
            pauses.push(pause_at(&standing, now));
        }
        assert!(pauses[..6].is_sorted_by(|one, next| *next > *one), "{pauses:?}");
        assert!(pauses[8] >= LONGEST_PAUSE && pauses[8] <= LONGEST_PAUSE * 5 / 4, "{pauses:?}");
        standing.take_up();
        assert_eq!(standing.fault(), None);
        standing.did_well();
        standing.leave_alone(Fault::Failed, "so it is", now);
        assert!(pause_at(&standing, now) < SHORTEST_PAUSE * 2);
    }

    #[test]
    fn reads_that_fail_together_count_once() {
        let (standing, now) = (Standing::new("a".into()), Instant::now());
        for _ in 0..100 {
            standing.leave_alone(Fault::Late, "so it is", now);
        }
        assert!(pause_at(&standing, now) < SHORTEST_PAUSE * 2);
    }

    #[test]
    fn one_tries_at_a_time() {
        let (standing, now) = (Standing::new("a".into()), Instant::now());
        assert!(!standing.may_be_tried(now));
        standing.leave_alone(Fault::Failed, "so it is", now);
        let later = now + SHORTEST_PAUSE * 2;
        assert!(standing.may_be_tried(later));
        assert!(!standing.may_be_tried(later));
    }
}
