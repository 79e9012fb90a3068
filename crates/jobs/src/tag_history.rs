//! Forgets old changes of tags, but never the last one of a tag.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{EventLog, JobOutcome};

use crate::Handler;

/// How many changes are looked at in one go.
const BATCH: usize = 1000;

/// How long it rests between two walks.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// The kind.
pub(crate) const KIND: &str = "tags.forget_history";

/// The job.
pub struct TagHistory {
    events: Arc<dyn EventLog>,
    age: Duration,
}

impl TagHistory {
    /// Walks over all histories once a day, and forgets what is older than `age`.
    pub const fn new(events: Arc<dyn EventLog>, age: Duration) -> Self {
        Self { events, age }
    }

    async fn walk(&self) -> Result<u64, StoreError> {
        let (mut forgotten, mut next) = (0, None);
        loop {
            let walk = self.events.expire_tag_history(next, self.age, BATCH).await?;
            forgotten += walk.forgotten;
            next = walk.next;
            if next.is_none() {
                return Ok(forgotten);
            }
        }
    }
}

#[async_trait]
impl Handler for TagHistory {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        match self.walk().await {
            Ok(forgotten) => {
                if forgotten > 0 {
                    tracing::info!(forgotten, "forgot old changes of tags");
                }
                JobOutcome::Again(INTERVAL)
            }
            Err(error) => JobOutcome::Retry { after: Duration::ZERO, error: error.to_string() },
        }
    }
}
