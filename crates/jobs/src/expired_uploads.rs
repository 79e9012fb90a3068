//! Ends uploads that their clients have left, so that staged bytes do not fill the store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::Registry;
use wharf_core::metadata::JobOutcome;

use crate::Handler;

/// How many uploads are ended in one go.
const BATCH: usize = 100;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(60);

/// The kind.
pub(crate) const KIND: &str = "uploads.expire";

/// The job.
pub struct ExpiredUploads {
    registry: Arc<Registry>,
}

impl ExpiredUploads {
    /// Looks once a minute.
    pub const fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

#[async_trait]
impl Handler for ExpiredUploads {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        let mut ended = 0;
        loop {
            match self.registry.end_expired_uploads(BATCH).await {
                Ok(batch) => {
                    ended += batch;
                    if batch < BATCH {
                        break;
                    }
                }
                Err(error) => {
                    return JobOutcome::Retry { after: Duration::ZERO, error: error.to_string() };
                }
            }
        }
        if ended > 0 {
            tracing::info!(ended, "ended uploads that had expired");
        }
        JobOutcome::Again(INTERVAL)
    }
}
