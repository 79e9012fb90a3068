//! Drops what broken requests and dead nodes left in the store, which no upload names any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::Registry;
use wharf_core::metadata::JobOutcome;

use crate::Handler;

/// How many uploads' leftovers are looked at in one go.
const BATCH: usize = 10_000;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(3600);

/// The kind.
pub(crate) const KIND: &str = "staging.collect";

/// The job.
pub struct Leftovers {
    registry: Arc<Registry>,
}

impl Leftovers {
    /// Looks once an hour.
    pub const fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

#[async_trait]
impl Handler for Leftovers {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        match self.registry.collect_leftovers(BATCH).await {
            Ok(0) => JobOutcome::Again(INTERVAL),
            Ok(dropped) => {
                tracing::info!(dropped, "dropped what uploads had left behind");
                JobOutcome::Again(INTERVAL)
            }
            Err(error) => JobOutcome::Retry { after: INTERVAL / 60, error: error.to_string() },
        }
    }
}
