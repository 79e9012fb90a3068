//! Follows the log of events and has this process forget what other nodes changed. Nothing relies on it: what is
//! believed without asking ends by itself, and mostly ends earlier by this.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Kind};
use wharf_core::metadata::{EventLog, EventScope, LoggedEvent, Position};
use wharf_oci::RepositoryName;

/// How long it rests when there is nothing new.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest rest while the log cannot be read.
const LONGEST: Duration = Duration::from_secs(30);

/// How long the log may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// How many events are read at once.
const PAGE: usize = 500;

/// What follows the log, until it is dropped.
pub struct EventTail {
    seen: Arc<Seen>,
    following: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    events: AtomicU64,
    /// When a question was asked that was answered with all there was.
    caught_up: Mutex<Option<Instant>>,
}

impl EventTail {
    /// Follows from here on. Called inside a runtime.
    pub fn new(events: Arc<dyn EventLog>, cache: Arc<dyn Cache>) -> Self {
        let seen = Arc::new(Seen::default());
        let following = tokio::spawn(follow(events, cache, Arc::clone(&seen)));
        Self { seen, following }
    }

    /// How many events it has read.
    pub fn events(&self) -> u64 {
        self.seen.events.load(Ordering::Relaxed)
    }

    /// How long ago it had read everything that could be read; `None` before it first has.
    pub fn behind(&self) -> Option<Duration> {
        let caught_up = *self.seen.caught_up.lock().unwrap_or_else(PoisonError::into_inner);
        caught_up.map(|at| at.elapsed())
    }
}

impl Drop for EventTail {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(events: Arc<dyn EventLog>, cache: Arc<dyn Cache>, seen: Arc<Seen>) {
    let (mut position, mut failures) = (None, 0_u32);
    loop {
        let asked = Instant::now();
        let looked = timeout(ANSWERED_WITHIN, look(&*events, &*cache, &mut position));
        let late = || StoreError::Unavailable("no answer in time".into());
        match looked.await.unwrap_or_else(|_| Err(late())) {
            Ok(read) => {
                failures = 0;
                seen.events.fetch_add(read as u64, Ordering::Relaxed);
                if read < PAGE {
                    *seen.caught_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
                    sleep(INTERVAL).await;
                }
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(%error, "the log of events cannot be followed for now");
                }
                sleep((INTERVAL * 2_u32.saturating_pow(failures.min(8))).min(LONGEST)).await;
            }
        }
    }
}

/// Reads what is behind `position` and has it forgotten; how many events it was.
async fn look(
    events: &dyn EventLog,
    cache: &dyn Cache,
    position: &mut Option<Position>,
) -> Result<usize, StoreError> {
    let Some(after) = *position else {
        *position = Some(events.newest_position().await?);
        return Ok(0);
    };
    let page = events.read_events(after, PAGE).await?;
    for event in &page {
        if let EventScope::Repository(repository) = &event.scope {
            forget(cache, repository, event);
        }
        *position = Some(event.position);
    }
    Ok(page.len())
}

/// Has what an event of a repository makes untrue forgotten. Those of namespaces and of the registry are about nothing that is cached.
fn forget(cache: &dyn Cache, repository: &RepositoryName, event: &LoggedEvent) {
    // A manifest that was pushed makes nothing untrue that anybody believes.
    if event.kind.starts_with("tag.") || event.kind == "manifest.deleted" {
        cache.forget(repository, Kind::Manifest);
    }
    if matches!(&*event.kind, "blob.deleted" | "blobs.swept") {
        cache.forget(repository, Kind::Blob);
    }
    if matches!(&*event.kind, "repository.deleted" | "repository.restored") {
        cache.forget(repository, Kind::Manifest);
        cache.forget(repository, Kind::Blob);
    }
    if event.kind == "repository.renamed" {
        for name in names(&event.payload) {
            cache.forget(&name, Kind::Manifest);
            cache.forget(&name, Kind::Blob);
        }
    }
}

/// What a repository was called, and what it is called now.
fn names(payload: &str) -> Vec<RepositoryName> {
    let said: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
    let named = |name: &str| said[name].as_str()?.parse().ok();
    ["from", "to"].into_iter().filter_map(named).collect()
}
