//! What does the jobs of one kind.

use async_trait::async_trait;
use wharf_core::metadata::JobOutcome;

/// Does the jobs of one kind.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    fn kind(&self) -> &'static str;

    /// Does one job. It is dropped where it waits when the job is not this runner's any more, takes too long, or
    /// the process stops, and may be asked for again after any of these.
    ///
    /// A [`JobOutcome::Retry`] names the shortest wait that makes sense; the runner waits longer with each try,
    /// and sets the job aside after the last one.
    async fn run(&self, payload: &str) -> JobOutcome;
}
