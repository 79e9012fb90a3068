//! Makes room in the log for events to come, and forgets those that nobody needs any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{EventLog, JobOutcome, KeepEvents};

use crate::Handler;
use crate::upkeep::{again, until_nothing};

/// How many events are forgotten in one go.
const BATCH: usize = 1000;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(600);

/// The kind.
pub(crate) const KIND: &str = "events.upkeep";

/// The job.
pub struct EventUpkeep {
    events: Arc<dyn EventLog>,
    keep: KeepEvents,
}

impl EventUpkeep {
    /// Looks every ten minutes.
    pub const fn new(events: Arc<dyn EventLog>, keep: KeepEvents) -> Self {
        Self { events, keep }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let made = self.events.make_room().await?;
        let forgotten = until_nothing(|| self.events.expire_events(self.keep, BATCH)).await?;
        if made + forgotten > 0 {
            tracing::info!(made, forgotten, "made room in the log of events");
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for EventUpkeep {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.look().await, INTERVAL)
    }
}
