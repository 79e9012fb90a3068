//! The connection to Redis: each command waits a short time at most, and after several failures nobody waits at
//! all until one try succeeds again.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, IntoConnectionInfo, RedisResult};
use wharf_core::clock::{Random, SystemRandom};

/// How many failures in a row end the tries.
const FAILURES: u32 = 3;

/// How long nobody tries then.
const PAUSE: Duration = Duration::from_secs(1);

/// What Redis says when the settings are wrong.
const REFUSALS: [&str; 4] = ["NOAUTH", "WRONGPASS", "NOPERM", "READONLY"];

/// Where Redis is: `redis://[[user]:password@]host[:port][/database]`, `rediss://` for TLS. It never prints its
/// password.
#[derive(Clone)]
pub struct RedisUrl(redis::ConnectionInfo);

/// A text that is no URL of Redis. The text is not repeated: it may hold a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no usable Redis URL: {0}")]
pub struct NoRedisUrl(String);

impl FromStr for RedisUrl {
    type Err = NoRedisUrl;

    fn from_str(text: &str) -> Result<Self, NoRedisUrl> {
        if !text.starts_with("redis://") && !text.starts_with("rediss://") {
            return Err(NoRedisUrl("it begins with neither redis:// nor rediss://".into()));
        }
        // The library's reasons name parts of the URL by kind, not by value.
        let info = text.into_connection_info();
        info.map(Self).map_err(|error| NoRedisUrl(error.category().to_owned()))
    }
}

impl NoRedisUrl {
    pub(super) fn because(error: &redis::RedisError) -> Self {
        Self(error.category().to_owned())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "redis://{}/{}", self.0.addr(), self.0.redis_settings().db())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// The connection.
pub(super) struct Link {
    connection: ConnectionManager,
    time_limit: Duration,
    began: Instant,
    failures: AtomicU32,
    /// Milliseconds after `began` until which nobody tries.
    paused_until: AtomicU64,
}

impl Link {
    /// Connects when the first command comes.
    pub(super) fn new(url: &RedisUrl, time_limit: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(time_limit * 5))
            .set_response_timeout(Some(time_limit))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(PAUSE);
        let client = Client::open(url.0.clone())?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            time_limit,
            began: Instant::now(),
            failures: AtomicU32::new(0),
            paused_until: AtomicU64::new(0),
        })
    }

    /// Whether Redis is left alone, but for a try now and then.
    pub(super) fn is_paused(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES
    }

    /// Whether this command is tried now. At the end of a pause one is, and decides for all.
    fn may_try(&self) -> bool {
        if !self.is_paused() {
            return true;
        }
        let (now, until) = (self.now(), self.paused_until.load(Ordering::Relaxed));
        let next = now + pause();
        now >= until
            && self
                .paused_until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Tries a command that writes. `Some` is why Redis refuses, in which nobody but a person can change anything;
    /// that it is away is only told.
    pub(super) async fn refusal(&self) -> Option<String> {
        let mut connection = self.connection.clone();
        let mut write = redis::cmd("SET");
        write.arg("wharf:check").arg(1).arg("PX").arg(1000);
        // With a new connection before it.
        let limit = self.time_limit * 10;
        let asked = write.query_async::<()>(&mut connection);
        let error = match tokio::time::timeout(limit, asked).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error,
            Err(_) => {
                tracing::warn!("Redis does not answer: going on without it (cache.url)");
                return None;
            }
        };
        let refuses = error.kind() == redis::ErrorKind::AuthenticationFailed
            || error.code().is_some_and(|code| REFUSALS.contains(&code));
        if refuses {
            return Some(error.to_string());
        }
        tracing::warn!(%error, "Redis does not answer: going on without it (cache.url)");
        None
    }

    /// What Redis answers; `None` when it does not in time, or was not asked.
    pub(super) async fn ask<T, F>(&self, command: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        T: FromRedisValue,
        F: Future<Output = RedisResult<T>>,
    {
        if !self.may_try() {
            return None;
        }
        let asked = command(self.connection.clone());
        let answer = tokio::time::timeout(self.time_limit, asked).await;
        match answer {
            Ok(Ok(value)) => {
                self.failures.store(0, Ordering::Relaxed);
                Some(value)
            }
            Ok(Err(error)) => {
                self.failed(&error.to_string());
                None
            }
            Err(_) => {
                self.failed("no answer in time");
                None
            }
        }
    }

    fn failed(&self, reason: &str) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < FAILURES {
            return;
        }
        if failures == FAILURES {
            tracing::warn!(reason, "Redis does not answer: going on without it");
        }
        self.paused_until.store(self.now() + pause(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// [`PAUSE`] in milliseconds, up to a quarter longer, so that not all nodes try at once.
fn pause() -> u64 {
    let mut byte = [0];
    SystemRandom.fill(&mut byte);
    let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
    pause + pause * u64::from(byte[0]) / 1024
}
