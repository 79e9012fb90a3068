//! The tally: pulls and pushes counted in process, without a wait, and added to the metadata a batch at a time.
//!
//! Each thread counts into a part of its own, so that a repository which everyone pulls makes nobody wait. Every few
//! seconds the parts are closed into a batch. A batch is asked for until it is known to be added, under one id, so that
//! a lost reply costs nothing and counts nothing twice; meanwhile new counts gather behind it. A crash loses
//! what was counted since the last batch was added.

mod batches;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use wharf_oci::{Digest, RepositoryName};

use crate::clock::Random;
use crate::metadata::{CountKind, Counts, ManifestTally};

use batches::Batches;

/// Into how many parts the threads count.
const PARTS: usize = 16;

/// How much a tally keeps, and how often it is added to the metadata.
#[derive(Clone, Copy, Debug)]
pub struct TallyRules {
    /// How often.
    pub interval: Duration,
    /// At how many entries (a repository's manifest, pulled or pushed) it does not wait for that; no batch has more.
    pub large: usize,
    /// The most entries, of about 200 bytes each, those in batches that wait included. What is counted beyond
    /// them is lost.
    pub most: usize,
}

impl Default for TallyRules {
    /// Every five seconds; about 40 MB at most.
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), large: 5_000, most: 200_000 }
    }
}

/// What a tally has counted since the process began. What is neither added nor lost waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TallyTotals {
    /// Pulls and pushes, by kind in the order of [`CountKind::ALL`].
    pub counted: [u64; 3],
    /// How many of them were added to the metadata.
    pub added: u64,
    /// How many were lost, since the metadata were away for too long.
    pub lost: u64,
}

impl TallyTotals {
    /// How many are still to be added.
    pub fn waiting(&self) -> u64 {
        self.counted.iter().sum::<u64>().saturating_sub(self.added + self.lost)
    }
}

/// Counts of manifests: found without a name being copied.
type Counted = HashMap<RepositoryName, HashMap<(Digest, CountKind), u64>>;

/// What some of the threads counted. In cache lines of its own, so that others do not wait for these either.
#[derive(Default)]
#[repr(align(128))]
struct Part(Mutex<(Counted, [u64; 3])>);

/// The counts of this process that are not added yet.
pub struct Tally {
    rules: TallyRules,
    parts: [Part; PARTS],
    /// Entries in the parts, and all entries with those in batches.
    gathered: AtomicUsize,
    entries: AtomicUsize,
    large: Notify,
    added: AtomicU64,
    lost: AtomicU64,
    batches: tokio::sync::Mutex<Batches>,
}

/// Which part this thread counts into.
fn own_part() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PARTS;
    }
    OWN.with(|own| *own)
}

impl Tally {
    /// An empty one. Its batches take their ids from `random`, and it takes a shard.
    pub fn new(rules: TallyRules, random: Arc<dyn Random>) -> Self {
        Self {
            rules,
            parts: Default::default(),
            gathered: AtomicUsize::new(0),
            entries: AtomicUsize::new(0),
            large: Notify::new(),
            added: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            batches: tokio::sync::Mutex::new(Batches::new(random)),
        }
    }

    /// Counts one pull or push. Waits for nothing but, for some nanoseconds, another thread's count.
    pub fn count(&self, repository: &RepositoryName, digest: Digest, kind: CountKind) {
        let mut part = self.part(own_part());
        let (counts, totals) = &mut *part;
        totals[kind as usize] += 1;
        if let Some(count) =
            counts.get_mut(repository).and_then(|manifests| manifests.get_mut(&(digest, kind)))
        {
            *count += 1;
            return;
        }
        if self.entries.fetch_add(1, Ordering::Relaxed) >= self.rules.most {
            self.entries.fetch_sub(1, Ordering::Relaxed);
            drop(part);
            self.lose(1, "more is waiting than is kept in memory");
            return;
        }
        counts.entry(repository.clone()).or_default().insert((digest, kind), 1);
        let gathered = self.gathered.fetch_add(1, Ordering::Relaxed) + 1;
        drop(part);
        if gathered == self.rules.large {
            self.large.notify_one();
        }
    }

    /// What was counted so far.
    pub fn totals(&self) -> TallyTotals {
        // First what ended, so that what waits is never less than nothing.
        let (added, lost) = (self.added.load(Ordering::Acquire), self.lost.load(Ordering::Acquire));
        let mut counted = [0; 3];
        for index in 0..PARTS {
            let part = self.part(index);
            for (sum, count) in counted.iter_mut().zip(part.1) {
                *sum += count;
            }
        }
        TallyTotals { counted, added, lost }
    }

    /// Adds what was counted to `counts`, again and again, and once more at `stop`, after which nothing may be
    /// counted. Returns then, though what could not be added is not.
    pub async fn run(&self, counts: Arc<dyn Counts>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let stopped = tokio::select! {
                biased;
                () = &mut stop => true,
                () = self.large.notified() => false,
                () = sleep(self.rules.interval) => false,
            };
            self.add_to(&*counts, stopped).await;
            if stopped {
                return;
            }
        }
    }

    /// Adds what was counted, as far as the metadata take it. `close`: whatever waits already.
    async fn add_to(&self, counts: &dyn Counts, close: bool) {
        let mut batches = self.batches.lock().await;
        if close || batches.wants_more(Instant::now()) {
            self.close(&mut batches);
        }
        let done = batches.add_to(counts).await;
        self.entries.fetch_sub(done.entries, Ordering::Relaxed);
        self.added.fetch_add(done.added, Ordering::Release);
        if done.given_up > 0 {
            self.lose(done.given_up, "the metadata did not take them for a day");
        }
    }

    /// Closes the parts into batches.
    fn close(&self, batches: &mut Batches) {
        let mut all = Counted::new();
        let mut twice = 0;
        for index in 0..PARTS {
            let part = std::mem::take(&mut self.part(index).0);
            let entries: usize = part.values().map(HashMap::len).sum();
            self.gathered.fetch_sub(entries, Ordering::Relaxed);
            for (repository, manifests) in part {
                let of_all = all.entry(repository).or_default();
                for (manifest, count) in manifests {
                    match of_all.entry(manifest) {
                        Entry::Occupied(mut sum) => {
                            *sum.get_mut() += count;
                            twice += 1;
                        }
                        Entry::Vacant(place) => {
                            place.insert(count);
                        }
                    }
                }
            }
        }
        self.entries.fetch_sub(twice, Ordering::Relaxed);
        let tallies = all.into_iter().flat_map(|(repository, manifests)| {
            manifests.into_iter().map(move |((digest, kind), count)| ManifestTally {
                repository: repository.clone(),
                digest,
                kind,
                count,
            })
        });
        batches.close(tallies.collect(), self.rules.large);
    }

    fn lose(&self, counts: u64, why: &str) {
        if self.lost.fetch_add(counts, Ordering::Release) == 0 {
            tracing::error!(
                "counts of pulls and pushes are lost: {why}; how many is in the metrics"
            );
        }
    }

    fn part(&self, index: usize) -> MutexGuard<'_, (Counted, [u64; 3])> {
        // Nothing panics while it counts.
        self.parts[index].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
