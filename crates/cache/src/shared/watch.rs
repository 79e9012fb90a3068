//! What this node knows of the shared cache's epoch, looked up in the database every second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use wharf_core::cache::{Epoch, Epochs};

use super::link::Link;

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long after a suspension every node that reaches the database knows of it.
pub(super) const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// How long the cache stays suspended at least.
const LEAST_SUSPENSION: Duration = Duration::from_secs(10);

/// The longest that knowledge may be old by which a writer invalidates: a suspension that it missed is not over yet.
const RECENT: Duration = Duration::from_secs(6);

/// The epoch, as far as this node knows.
pub(super) struct Watch {
    epochs: Arc<dyn Epochs>,
    known: Known,
    watching: JoinHandle<()>,
}

/// The state, and when the question was asked that it answers.
type Known = Arc<Mutex<Option<(Epoch, Instant)>>>;

impl Watch {
    /// Watches until it is dropped. Called inside a runtime.
    pub(super) fn new(epochs: Arc<dyn Epochs>, link: Arc<Link>) -> Self {
        let known = Known::default();
        let watching = tokio::spawn(watch(Arc::clone(&epochs), link, Arc::clone(&known)));
        Self { epochs, known, watching }
    }

    /// The epoch whose cache may be read; `None` while nobody should use it, or before it is known.
    pub(super) fn current(&self) -> Option<i64> {
        let (epoch, _) = (*lock(&self.known))?;
        (!epoch.is_suspended()).then_some(epoch.number)
    }

    /// The epoch whose cache others may be reading; `None` while it is suspended, or when the database is away.
    pub(super) async fn to_invalidate(&self) -> Option<i64> {
        let known = *lock(&self.known);
        let epoch = match known {
            Some((epoch, asked)) if asked.elapsed() < RECENT => epoch,
            _ => look(&*self.epochs, &self.known).await?,
        };
        (!epoch.is_suspended()).then_some(epoch.number)
    }

    /// Makes all nodes leave the cache alone, and returns once they do. After that nothing in it is ever served:
    /// what comes later is another epoch.
    pub(super) async fn suspend(&self) {
        let begun = Instant::now();
        let wait = match self.suspended().await {
            Some(since) => KNOWN_WITHIN.saturating_sub(since),
            // The database is away too, so nobody can write anything more that would be missed.
            None => KNOWN_WITHIN.saturating_sub(begun.elapsed()),
        };
        tokio::time::sleep(wait).await;
    }

    /// Suspends the cache if it is not; for how long it has been then.
    async fn suspended(&self) -> Option<Duration> {
        // Another node may take it up again in between, once.
        for _ in 0..4 {
            let epoch = look(&*self.epochs, &self.known).await?;
            if epoch.is_suspended() {
                return Some(epoch.since);
            }
            tracing::warn!("the shared cache cannot be invalidated: no node uses it for now");
            self.epochs.advance_epoch(epoch.number).await.ok()?;
        }
        None
    }
}

fn lock(known: &Known) -> std::sync::MutexGuard<'_, Option<(Epoch, Instant)>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the database and remembers what it says; `None` when it does not in time, which leaves what is known.
async fn look(epochs: &dyn Epochs, known: &Known) -> Option<Epoch> {
    let asked = Instant::now();
    let answer = tokio::time::timeout(KNOWN_WITHIN - INTERVAL, epochs.epoch()).await;
    let epoch = answer.ok()?.ok()?;
    *lock(known) = Some((epoch, asked));
    Some(epoch)
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn watch(epochs: Arc<dyn Epochs>, link: Arc<Link>, known: Known) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // A database that does not answer leaves what is known: pulls go on from the cache, whose versions
        // are checked still.
        let Some(epoch) = look(&*epochs, &known).await else { continue };
        if epoch.is_suspended() && epoch.since > LEAST_SUSPENSION {
            let alive = link.ask::<String, _>(|mut connection| async move {
                redis::cmd("PING").query_async(&mut connection).await
            });
            if alive.await.is_some() && epochs.advance_epoch(epoch.number).await.is_ok() {
                tracing::info!("the shared cache is used again");
            }
        }
    }
}
