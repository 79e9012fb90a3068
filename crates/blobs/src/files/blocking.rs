//! Work on blocking threads, and telling it that nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wharf_core::StoreError;

/// Does `work` on a thread that may wait for the disk. When the caller gives up, the work goes on to its end.
pub(super) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(died().into()),
    }
}

/// What to say when a thread was lost: the program is being stopped, or the work panicked.
pub(super) fn died() -> StoreError {
    StoreError::Unavailable("the thread that worked on a file ended early".into())
}

/// Held by a request that changes an upload. When it is dropped, which a broken connection does at any
/// moment, the [`Abandoned`] tells the work that is still under way.
pub(super) struct Abandonment(Arc<AtomicBool>);

/// Whether the request that a piece of work was for is gone.
#[derive(Clone)]
pub(super) struct Abandoned(Arc<AtomicBool>);

impl Abandonment {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn watch(&self) -> Abandoned {
        Abandoned(Arc::clone(&self.0))
    }
}

impl Drop for Abandonment {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Abandoned {
    pub(super) fn is(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
