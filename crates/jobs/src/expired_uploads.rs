//! Ends uploads that their clients have left, so that staged bytes do not fill the disk.

use std::time::Duration;

use wharf_core::Registry;

/// How many uploads are ended in one go.
const BATCH: usize = 100;

/// The job.
#[derive(Clone, Copy, Debug)]
pub struct ExpiredUploads {
    /// How long it waits between two looks.
    pub interval: Duration,
}

impl Default for ExpiredUploads {
    /// Looks once a minute.
    fn default() -> Self {
        Self { interval: Duration::from_secs(60) }
    }
}

impl ExpiredUploads {
    /// Looks again and again, first at once.
    pub async fn run(self, registry: &Registry) {
        loop {
            match registry.end_expired_uploads(BATCH).await {
                Ok(BATCH) => continue,
                Ok(0) => {}
                Ok(ended) => tracing::info!(ended, "ended uploads that had expired"),
                Err(error) => tracing::warn!(%error, "expired uploads could not be ended"),
            }
            tokio::time::sleep(self.interval).await;
        }
    }
}
