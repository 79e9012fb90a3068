//! Counts in process how often something was asked for, by the generic cell rate algorithm: of each key it remembers
//! one moment, until which all that was taken is paid back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::{Clock, Timestamp};
use wharf_core::limits::{Limiter, Rate, Take, Verdict};

/// The most keys that are remembered: about 20 MB. With more, those are forgotten that took least.
const MOST_KEYS: usize = 100_000;

/// Counts in this process alone.
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    most: usize,
    /// Until when all that was taken is paid back, in microseconds. What lies in the past says nothing.
    paid: Mutex<HashMap<String, i64>>,
}

impl MemoryLimiter {
    /// One that has counted nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, most: MOST_KEYS, paid: Mutex::default() }
    }

    fn paid(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one of a rate takes, in microseconds; one at least.
fn share(rate: Rate) -> i64 {
    (micros(rate.period()) / i64::from(rate.count())).max(1)
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[async_trait]
impl Limiter for MemoryLimiter {
    async fn take(&self, takes: &[Take]) -> Verdict {
        let Timestamp(now) = self.clock.now();
        let mut paid = self.paid();
        let after = |paid: &HashMap<String, i64>, take: &Take| {
            paid.get(&take.key).map_or(now, |at| now.max(*at)).saturating_add(share(take.rate))
        };
        // All of a rate at once reaches exactly as far as its time.
        let reach = |take: &Take| share(take.rate) * i64::from(take.rate.count());
        let over = |take: &Take| after(&paid, take) - now - reach(take);
        let longest = takes.iter().map(over).max().unwrap_or(0);
        if longest > 0 {
            return Verdict::TooMany(Duration::from_micros(longest.unsigned_abs()));
        }
        for take in takes {
            let until = after(&paid, take);
            paid.insert(take.key.clone(), until);
        }
        if paid.len() > self.most {
            make_room(&mut paid, now);
        }
        Verdict::Allowed
    }

    async fn give_back(&self, takes: &[Take]) {
        let mut paid = self.paid();
        for take in takes {
            if let Some(until) = paid.get_mut(&take.key) {
                *until -= share(take.rate);
            }
        }
    }
}

/// Forgets what is paid back; and of the rest the half that took least, if that is not enough.
fn make_room(paid: &mut HashMap<String, i64>, now: i64) {
    let before = paid.len();
    paid.retain(|_, until| *until > now);
    if paid.len() * 2 > before {
        let mut all: Vec<i64> = paid.values().copied().collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        let median = *median;
        paid.retain(|_, until| *until > median);
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
        Take { key: key.into(), rate: rate.parse().unwrap() }
    }

    #[tokio::test]
    async fn all_may_come_at_once_and_then_one_after_the_other() {
        let (limiter, clock) = stand();
        let one = [take("a", "10/1m")];
        for _ in 0..10 {
            assert_eq!(limiter.take(&one).await, Verdict::Allowed);
        }
        let wait = Duration::from_secs(6);
        assert_eq!(limiter.take(&one).await, Verdict::TooMany(wait));
        assert_eq!(limiter.take(&[take("b", "10/1m")]).await, Verdict::Allowed);
        clock.advance(wait - Duration::from_micros(1));
        assert_eq!(limiter.take(&one).await, Verdict::TooMany(Duration::from_micros(1)));
        clock.advance(Duration::from_micros(1));
        assert_eq!(limiter.take(&one).await, Verdict::Allowed);
        assert_eq!(limiter.take(&one).await, Verdict::TooMany(wait));
        clock.advance(Duration::from_secs(3600));
        for _ in 0..10 {
            assert_eq!(limiter.take(&one).await, Verdict::Allowed);
        }
        assert!(matches!(limiter.take(&one).await, Verdict::TooMany(_)));
    }

    #[tokio::test]
    async fn what_is_refused_takes_nothing_of_anything() {
        let (limiter, _) = stand();
        let both = [take("narrow", "1/1h"), take("wide", "3/1h")];
        assert_eq!(limiter.take(&both).await, Verdict::Allowed);
        for _ in 0..9 {
            let expected = Verdict::TooMany(Duration::from_secs(3600));
            assert_eq!(limiter.take(&both).await, expected);
        }
        for _ in 0..2 {
            assert_eq!(limiter.take(&both[1..]).await, Verdict::Allowed);
        }
        assert!(matches!(limiter.take(&both[1..]).await, Verdict::TooMany(_)));
    }

    #[tokio::test]
    async fn what_is_given_back_may_be_taken_again() {
        let (limiter, _) = stand();
        let one = [take("a", "2/1m")];
        for _ in 0..100 {
            assert_eq!(limiter.take(&one).await, Verdict::Allowed);
            limiter.give_back(&one).await;
        }
        limiter.give_back(&[take("unknown", "2/1m")]).await;
        for _ in 0..2 {
            assert_eq!(limiter.take(&one).await, Verdict::Allowed);
        }
        assert!(matches!(limiter.take(&one).await, Verdict::TooMany(_)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_at_once_get_no_more_than_there_is() {
        let (limiter, _) = stand();
        let limiter = Arc::new(limiter);
        let ask = |_| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { limiter.take(&[take("a", "50/1h")]).await })
        };
        let asked: Vec<_> = (0..200).map(ask).collect();
        let mut allowed = 0;
        for verdict in asked {
            allowed += usize::from(verdict.await.unwrap() == Verdict::Allowed);
        }
        assert_eq!(allowed, 50);
    }

    #[tokio::test]
    async fn strangers_fill_no_memory_and_who_took_much_is_remembered() {
        let (mut limiter, clock) = stand();
        limiter.most = 100;
        let greedy = [take("greedy", "5/1d")];
        for _ in 0..5 {
            limiter.take(&greedy).await;
        }
        for number in 0..10_000 {
            limiter.take(&[take(&format!("stranger {number}"), "5/1m")]).await;
            assert!(limiter.paid().len() <= 101);
        }
        assert!(matches!(limiter.take(&greedy).await, Verdict::TooMany(_)));
        clock.advance(Duration::from_secs(24 * 3600));
        for number in 0..101 {
            limiter.take(&[take(&format!("later {number}"), "5/1m")]).await;
        }
        assert!(!limiter.paid().contains_key("greedy"), "what is paid back is forgotten");
    }
}
