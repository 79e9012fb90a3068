//! Makes room for counts of pulls and pushes to come, and forgets old ones and the ids of old batches.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{Counts, JobOutcome};

use crate::Handler;
use crate::upkeep::{again, until_nothing};

/// How many rows are forgotten in one go.
const BATCH: usize = 1000;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(3600);

/// The kind.
pub(crate) const KIND: &str = "counts.upkeep";

/// The job.
pub struct CountUpkeep {
    counts: Arc<dyn Counts>,
    keep: Duration,
}

impl CountUpkeep {
    /// Looks every hour, and forgets what is older than `keep`.
    pub const fn new(counts: Arc<dyn Counts>, keep: Duration) -> Self {
        Self { counts, keep }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let made = self.counts.make_room_for_counts().await?;
        let forgotten = until_nothing(|| self.counts.expire_counts(self.keep, BATCH)).await?;
        until_nothing(|| self.counts.forget_batches(BATCH)).await?;
        if made + forgotten > 0 {
            tracing::info!(made, forgotten, "made room for counts of pulls and pushes");
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for CountUpkeep {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.look().await, INTERVAL)
    }
}
