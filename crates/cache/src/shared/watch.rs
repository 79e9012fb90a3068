//! What this node knows of the shared cache's epoch, looked up in the database every second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use wharf_core::cache::{Epoch, Epochs};

use super::link::Link;

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the database may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// How long after a suspension every node that reaches the database knows of it.
pub(super) const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// How long after asking for the epoch a reader goes by the answer: less than others wait for it to hear of a
/// suspension, by what clocks may differ and a transaction may take.
const BELIEVED: Duration = Duration::from_millis(2500);

/// How long the cache stays suspended at least.
const LEAST_SUSPENSION: Duration = Duration::from_secs(10);

/// The longest that knowledge may be old by which a writer invalidates: a suspension that it missed is not over yet.
const RECENT: Duration = Duration::from_secs(6);

/// The bits in which the epoch moves: a million of suspensions.
const EPOCH_BITS: u32 = 21;

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

    /// The epoch whose cache may be read; `None` while nobody should use it, or when that is not known. A node
    /// that does not hear from the database cannot know that a writer had the cache suspended.
    pub(super) fn current(&self) -> Option<i64> {
        let (epoch, asked) = (*lock(&self.known))?;
        (!epoch.is_suspended() && asked.elapsed() < BELIEVED).then_some(epoch.number)
    }

    /// The epoch as it was known last, however long ago, unless it was suspended.
    pub(super) fn last(&self) -> Option<i64> {
        let (epoch, _) = (*lock(&self.known))?;
        (!epoch.is_suspended()).then_some(epoch.number)
    }

    /// What is kept in Redis of this registry alone, whatever becomes of the cache, goes by this number: the upper bits
    /// of the epoch, which begins at random and goes up by ones. `None` until the database has said it once.
    pub(super) fn home(&self) -> Option<i64> {
        let (epoch, _) = (*lock(&self.known))?;
        Some(epoch.number >> EPOCH_BITS)
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
    /// what comes later is another epoch. `None` when the database is away too.
    pub(super) async fn suspend(&self) -> Option<()> {
        let since = self.suspended().await?;
        tokio::time::sleep(KNOWN_WITHIN.saturating_sub(since)).await;
        Some(())
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
    let answer = tokio::time::timeout(ANSWERED_WITHIN, epochs.epoch()).await;
    let epoch = answer.ok()?.ok()?;
    let mut known = lock(known);
    // An answer that was overtaken by one to a later question says nothing new.
    if known.is_none_or(|(_, newest)| newest <= asked) {
        *known = Some((epoch, asked));
    }
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
        // A database that does not answer leaves what is known, which is soon too old to go by.
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
