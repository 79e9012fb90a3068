//! Counts in process how often something was asked for: of each key it remembers one moment, until which all that was
//! taken is paid back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::{Clock, Timestamp};
use wharf_core::limits::{Limiter, Rate, Standing, Take, Verdict};

/// The most keys that are remembered: about 20 MB. With more, those are forgotten that took the smallest part of what
/// they may.
const MOST_KEYS: usize = 100_000;

/// Counts in this process alone.
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    most: usize,
    owed: Mutex<HashMap<String, Owed>>,
}

/// What somebody has taken.
#[derive(Clone, Copy)]
struct Owed {
    /// When all of it is paid back, in microseconds. What lies in the past says nothing.
    until: i64,
    /// How far ahead that may lie.
    reach: i64,
}

impl Owed {
    /// Which part of all that there is, in thousandths.
    fn part(self, now: i64) -> i64 {
        (self.until - now).max(0).saturating_mul(1000) / self.reach.max(1)
    }
}

impl MemoryLimiter {
    /// One that has counted nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, most: MOST_KEYS, owed: Mutex::default() }
    }

    fn owed(&self) -> MutexGuard<'_, HashMap<String, Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What so many of a rate take.
fn price(take: &Take) -> i64 {
    micros(take.rate.interval()).saturating_mul(i64::from(take.cost))
}

fn reach(rate: Rate) -> i64 {
    micros(rate.reach())
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn time(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[async_trait]
impl Limiter for MemoryLimiter {
    async fn take(&self, takes: &[Take]) -> Verdict {
        let Timestamp(now) = self.clock.now();
        let mut owed = self.owed();
        // Nobody owes more than there is, whatever the limit was before.
        let debt = |take: &Take| match owed.get(&take.key) {
            Some(owed) => (owed.until - now).clamp(0, reach(take.rate)),
            None => 0,
        };
        let debts: Vec<i64> = takes.iter().map(debt).collect();
        let over = |(take, debt): (&Take, &i64)| match take.cost {
            0 => 0,
            _ => debt.saturating_add(price(take)) - reach(take.rate),
        };
        let longest = takes.iter().zip(&debts).map(over).max().unwrap_or(0);
        let may = longest <= 0;
        let mut standings = Vec::with_capacity(takes.len());
        for (take, debt) in takes.iter().zip(debts) {
            let debt = if may { debt + price(take) } else { debt };
            standings.push(Standing::owing(take.rate, time(debt)));
            if may && take.cost > 0 {
                let now_owed = Owed { until: now + debt, reach: reach(take.rate) };
                owed.insert(take.key.clone(), now_owed);
            }
        }
        if owed.len() > self.most {
            make_room(&mut owed, now);
        }
        Verdict { wait: (!may).then(|| time(longest)), standings }
    }

    async fn give_back(&self, takes: &[Take]) {
        let mut owed = self.owed();
        for take in takes {
            if let Some(owed) = owed.get_mut(&take.key) {
                owed.until = owed.until.saturating_sub(price(take));
            }
        }
    }

    async fn forget(&self, takes: &[Take]) {
        let mut owed = self.owed();
        for take in takes {
            owed.remove(&take.key);
        }
    }
}

/// Forgets what is paid back; and of the rest the half that took least, if that is not enough.
fn make_room(owed: &mut HashMap<String, Owed>, now: i64) {
    let before = owed.len();
    owed.retain(|_, owed| owed.until > now);
    if owed.len() * 2 > before {
        let mut parts: Vec<i64> = owed.values().map(|owed| owed.part(now)).collect();
        let middle = parts.len() / 2;
        let (_, median, _) = parts.select_nth_unstable(middle);
        let median = *median;
        owed.retain(|_, owed| owed.part(now) > median);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct HandClock(AtomicI64);

    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
    }

    impl HandClock {
        fn advance(&self, by: Duration) {
            self.0.fetch_add(micros(by), Ordering::SeqCst);
        }
    }

    fn stand() -> (MemoryLimiter, Arc<HandClock>) {
        let clock = Arc::new(HandClock::default());
        (MemoryLimiter::new(clock.clone()), clock)
    }

    fn take(key: &str, rate: &str) -> Take {
        Take::one(key, rate.parse().unwrap())
    }

    async fn wait(limiter: &MemoryLimiter, takes: &[Take]) -> Option<Duration> {
        limiter.take(takes).await.wait
    }

    mod contract {
        use super::*;

        async fn new() -> MemoryLimiter {
            MemoryLimiter::new(Arc::new(wharf_core::clock::SystemClock))
        }

        crate::limiter_contract!(new);
    }

    #[tokio::test]
    async fn all_may_come_at_once_and_then_one_after_the_other() {
        let (limiter, clock) = stand();
        let one = [take("a", "10/1m")];
        for _ in 0..10 {
            assert_eq!(wait(&limiter, &one).await, None);
        }
        let interval = Duration::from_secs(6);
        assert_eq!(wait(&limiter, &one).await, Some(interval));
        assert_eq!(wait(&limiter, &[take("b", "10/1m")]).await, None);
        clock.advance(interval - Duration::from_micros(1));
        assert_eq!(wait(&limiter, &one).await, Some(Duration::from_micros(1)));
        clock.advance(Duration::from_micros(1));
        assert_eq!(wait(&limiter, &one).await, None);
        assert_eq!(wait(&limiter, &one).await, Some(interval));
        clock.advance(Duration::from_secs(3600));
        for _ in 0..10 {
            assert_eq!(wait(&limiter, &one).await, None);
        }
        assert!(wait(&limiter, &one).await.is_some());
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_locks_nobody_out_for_longer_than_the_time_of_the_rate() {
        let (limiter, clock) = stand();
        clock.advance(Duration::from_secs(30 * 24 * 3600));
        let one = [take("a", "1/1m")];
        assert_eq!(wait(&limiter, &one).await, None);
        clock.0.store(0, Ordering::SeqCst);
        assert_eq!(wait(&limiter, &one).await, Some(Duration::from_secs(60)));
    }

    #[tokio::test]
    async fn strangers_fill_no_memory_and_who_took_much_is_remembered() {
        let (mut limiter, clock) = stand();
        limiter.most = 100;
        let greedy = [take("greedy", "5/1m")];
        for _ in 0..5 {
            limiter.take(&greedy).await;
        }
        for number in 0..10_000 {
            limiter.take(&[take(&format!("stranger {number}"), "5/1d")]).await;
            assert!(limiter.owed().len() <= 101);
        }
        assert!(wait(&limiter, &greedy).await.is_some());
        clock.advance(Duration::from_secs(24 * 3600));
        for number in 0..101 {
            limiter.take(&[take(&format!("later {number}"), "5/1m")]).await;
        }
        assert!(!limiter.owed().contains_key("greedy"), "what is paid back is forgotten");
    }
}
