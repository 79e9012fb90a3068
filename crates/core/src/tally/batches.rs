//! The batches of a tally that wait to be added, the oldest first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::StoreError;
use crate::clock::Random;
use crate::metadata::{CountBatch, Counts, ManifestTally};

/// How long counts gather behind a batch that cannot be added before they are closed into one of their own: what
/// waits for hours is told apart by minutes, and not by seconds.
const BEHIND: Duration = Duration::from_secs(600);

/// For how long a batch is asked for: well below the time for which its id is remembered.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
const _: () = assert!(PATIENCE.as_secs() * 2 <= CountBatch::REMEMBERED.as_secs());

/// What became of batches.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// How many entries are not kept any more.
    pub(super) entries: usize,
    /// How much they counted, as far as it was added.
    pub(super) added: u64,
    /// How much they counted, as far as it was not.
    pub(super) given_up: u64,
}

struct Waiting {
    id: [u8; 16],
    closed: Instant,
    tallies: Arc<[ManifestTally]>,
}

/// The batches.
pub(super) struct Batches {
    random: Arc<dyn Random>,
    shard: u8,
    waiting: VecDeque<Waiting>,
    closed: Instant,
    failing: bool,
}

impl Batches {
    /// None, of a random shard.
    pub(super) fn new(random: Arc<dyn Random>) -> Self {
        let mut shard = [0];
        random.fill(&mut shard);
        let shard = shard[0] % CountBatch::SHARDS;
        Self { random, shard, waiting: VecDeque::new(), closed: Instant::now(), failing: false }
    }

    /// Whether what was counted since should become a batch now.
    pub(super) fn wants_more(&self, now: Instant) -> bool {
        self.waiting.is_empty() || now.duration_since(self.closed) >= BEHIND
    }

    /// Takes what was counted up to now, up to `most` entries a batch.
    pub(super) fn close(&mut self, tallies: Vec<ManifestTally>, most: usize) {
        self.closed = Instant::now();
        for tallies in tallies.chunks(most.max(1)) {
            let mut id = [0; 16];
            self.random.fill(&mut id);
            self.waiting.push_back(Waiting { id, closed: self.closed, tallies: tallies.into() });
        }
    }

    /// Adds batches until one is not taken, which is asked for again the next time.
    pub(super) async fn add_to(&mut self, counts: &dyn Counts) -> Done {
        let mut done = Done::default();
        while let Some(first) = self.waiting.front() {
            let age = first.closed.elapsed();
            let (entries, sum) =
                (first.tallies.len(), first.tallies.iter().map(|tally| tally.count).sum::<u64>());
            if age > PATIENCE {
                done.given_up += sum;
            } else {
                let (id, shard, tallies) = (first.id, self.shard, first.tallies.clone());
                let taken = counts.add_counts(CountBatch { id, age, shard, tallies }).await;
                self.tell(taken.as_ref().err());
                if taken.is_err() {
                    break;
                }
                done.added += sum;
            }
            done.entries += entries;
            self.waiting.pop_front();
        }
        done
    }

    /// Logs the first of several failures, and their end.
    fn tell(&mut self, error: Option<&StoreError>) {
        match error {
            Some(error) if !self.failing => {
                tracing::warn!(%error, "pulls and pushes are not added to the metadata now; their counts wait");
            }
            None if self.failing => tracing::info!("counts of pulls and pushes are added again"),
            _ => {}
        }
        self.failing = error.is_some();
    }
}
