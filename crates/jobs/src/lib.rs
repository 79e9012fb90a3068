//! Background work: what a registry does when nobody asks. Each job is a file; this one runs them.

mod expired_uploads;

use std::sync::Arc;

use wharf_core::Registry;

pub use expired_uploads::ExpiredUploads;

/// Runs all background work until the future is dropped.
pub async fn run(registry: Arc<Registry>) {
    ExpiredUploads::default().run(&registry).await;
}
