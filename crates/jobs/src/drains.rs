//! Makes read-only what was drained, once no push is left.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{JobOutcome, WriteModes};

use crate::Handler;
use crate::upkeep::again;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// The kind.
pub(crate) const KIND: &str = "writes.end_drains";

/// The job.
pub struct Drains(Arc<dyn WriteModes>);

impl Drains {
    /// Looks every five seconds.
    pub const fn new(writes: Arc<dyn WriteModes>) -> Self {
        Self(writes)
    }

    async fn look(&self) -> Result<(), StoreError> {
        let ended = self.0.end_drains().await?;
        if ended > 0 {
            tracing::info!(ended, "what was drained is read-only now: no push is left");
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for Drains {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.look().await, INTERVAL)
    }
}
