//! Counts in Redis, for all nodes, how often something was asked for: of each key one moment, until which all that was
//! taken is paid back, by the clock of Redis. While Redis is away each node counts for itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::{FromRedisValue, Script, ScriptInvocation};
use wharf_core::clock::SystemClock;
use wharf_core::limits::{Limiter, Standing, Take, Verdict};

use super::link::Link;
use super::watch::Watch;
use crate::limiter::MemoryLimiter;

/// Looks at each key, and takes of all of them where none is used up. Of each key the arguments are the interval and
/// the reach of its rate and what is taken, in microseconds. The answer is how long to wait, and what is owed of each.
/// Nobody owes more than there is: a server with another clock may have taken over.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000000 + time[2]
         local wait, owed = 0, {}
         for index, key in ipairs(KEYS) do
             local reach, price = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
             local paid = tonumber(redis.call('GET', key) or now) or now
             owed[index] = math.max(0, math.min(paid - now, reach))
             if price > 0 then
                 wait = math.max(wait, owed[index] + price - reach)
             end
         end
         for index, key in ipairs(KEYS) do
             local price = tonumber(ARGV[2 * index])
             if wait == 0 and price > 0 then
                 owed[index] = owed[index] + price
                 local paid, life = now + owed[index], math.ceil(owed[index] / 1000)
                 redis.call('SET', key, string.format('%.0f', paid), 'PX', string.format('%.0f', life))
             end
         end
         table.insert(owed, 1, wait)
         return owed",
    )
});

/// Gives back of each key that much.
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000000 + time[2]
         for index, key in ipairs(KEYS) do
             local owed = (tonumber(redis.call('GET', key) or now) or now) - now - tonumber(ARGV[index])
             if owed > 0 then
                 redis.call('SET', key, string.format('%.0f', now + owed), 'PX', string.format('%.0f', math.ceil(owed / 1000)))
             else
                 redis.call('DEL', key)
             end
         end",
    )
});

/// Counts in Redis, or in this process while Redis is away.
///
/// What is given back goes to where counts are kept then: of what was taken right before Redis went or came back, a
/// little may be counted twice, or not at all.
pub struct SharedLimiter {
    link: Arc<Link>,
    watch: Arc<Watch>,
    alone: MemoryLimiter,
    is_alone: AtomicBool,
    shared_takes: AtomicU64,
    lone_takes: AtomicU64,
}

impl SharedLimiter {
    pub(super) fn new(link: Arc<Link>, watch: Arc<Watch>) -> Self {
        Self {
            link,
            watch,
            alone: MemoryLimiter::new(Arc::new(SystemClock)),
            is_alone: AtomicBool::new(false),
            shared_takes: AtomicU64::new(0),
            lone_takes: AtomicU64::new(0),
        }
    }

    /// Whether this node counts for itself, since Redis is left alone. One answer that came late changes nothing.
    pub fn is_alone(&self) -> bool {
        self.is_alone.load(Ordering::Relaxed)
    }

    /// How often this node counted in Redis, and how often for itself.
    pub fn takes(&self) -> (u64, u64) {
        (self.shared_takes.load(Ordering::Relaxed), self.lone_takes.load(Ordering::Relaxed))
    }

    /// Asks Redis about the keys of these, with what is said of each.
    async fn ask<T: FromRedisValue>(
        &self,
        script: &Script,
        takes: &[Take],
        say: impl Fn(&mut ScriptInvocation<'_>, &Take),
    ) -> Option<T> {
        let home = self.watch.home()?;
        let mut question = script.prepare_invoke();
        for take in takes {
            question.key(key(home, take));
            say(&mut question, take);
        }
        let asked = |mut connection| async move { question.invoke_async(&mut connection).await };
        self.link.ask(asked).await
    }

    fn counted(&self, alone: bool) {
        let takes = if alone { &self.lone_takes } else { &self.shared_takes };
        takes.fetch_add(1, Ordering::Relaxed);
        if alone && !self.link.is_paused() {
            return;
        }
        if self.is_alone.swap(alone, Ordering::Relaxed) != alone {
            if alone {
                tracing::warn!("limits are counted by this node for itself: Redis does not answer");
            } else {
                tracing::info!("limits are counted in Redis again, for all nodes");
            }
        }
    }
}

/// Where Redis keeps what was taken. What comes from the wire is hashed by who makes the key.
fn key(home: i64, take: &Take) -> String {
    format!("wharf:{home}:l:{}", take.key)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn price(take: &Take) -> u64 {
    micros(take.rate.interval()).saturating_mul(u64::from(take.cost))
}

/// What Redis said: how long to wait, and what is owed of each. `None` where it is no answer to this question.
fn verdict(said: &[u64], takes: &[Take]) -> Option<Verdict> {
    let (wait, owed) = said.split_first().filter(|(_, owed)| owed.len() == takes.len())?;
    let standing =
        |(take, owed): (&Take, &u64)| Standing::owing(take.rate, Duration::from_micros(*owed));
    let standings = takes.iter().zip(owed).map(standing).collect();
    Some(Verdict { wait: (*wait > 0).then(|| Duration::from_micros(*wait)), standings })
}

#[async_trait]
impl Limiter for SharedLimiter {
    async fn take(&self, takes: &[Take]) -> Verdict {
        if takes.is_empty() {
            return Verdict { wait: None, standings: Vec::new() };
        }
        let said = self.ask::<Vec<u64>>(&TAKE, takes, |question, take| {
            question.arg(micros(take.rate.reach())).arg(price(take));
        });
        let said = said.await.and_then(|said| verdict(&said, takes));
        self.counted(said.is_none());
        match said {
            Some(verdict) => verdict,
            None => self.alone.take(takes).await,
        }
    }

    async fn give_back(&self, takes: &[Take]) {
        if takes.is_empty() {
            return;
        }
        let given = self.ask::<()>(&GIVE_BACK, takes, |question, take| {
            question.arg(price(take));
        });
        if given.await.is_none() {
            self.alone.give_back(takes).await;
        }
    }

    async fn forget(&self, takes: &[Take]) {
        self.alone.forget(takes).await;
        let Some(home) = self.watch.home().filter(|_| !takes.is_empty()) else { return };
        let keys: Vec<String> = takes.iter().map(|take| key(home, take)).collect();
        let _: Option<i64> = self
            .link
            .ask(|mut connection| async move {
                redis::cmd("DEL").arg(keys).query_async(&mut connection).await
            })
            .await;
    }
}
