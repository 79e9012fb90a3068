//! How long to wait after a failure: longer each time, up to a limit, and partly by chance, so that what failed
//! together does not come again together.

use std::time::Duration;

use wharf_core::clock::{Random, SystemRandom};

/// Waits that grow.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The longest wait after the first failure; each further one doubles it.
    pub first: Duration,
    /// The longest wait of all.
    pub longest: Duration,
}

impl Backoff {
    /// How long to wait after as many failures: between a half and the whole of what it may be by then.
    pub fn pause(&self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(30));
        part(doubled.min(self.longest))
    }
}

/// Between a half and the whole of `longest`.
pub(crate) fn part(longest: Duration) -> Duration {
    let mut chance = [0; 2];
    SystemRandom.fill(&mut chance);
    let half = longest / 2;
    half + half.mul_f64(f64::from(u16::from_le_bytes(chance)) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_differ() {
        let second = Duration::from_secs(1);
        let backoff = Backoff { first: second, longest: second * 300 };
        for (failures, longest) in [(0, 1), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (99, 300)]
        {
            let pauses: Vec<_> = (0..50).map(|_| backoff.pause(failures)).collect();
            let (half, whole) = (second * longest / 2, second * longest);
            assert!(pauses.iter().all(|pause| (half..=whole).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
