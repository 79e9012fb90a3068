//! What was collected by this process since it began.

use std::sync::{Mutex, PoisonError};

use wharf_core::Collected;

/// The counts.
#[derive(Debug, Default)]
pub struct GarbageCounters(Mutex<Collected>);

impl GarbageCounters {
    /// All that was collected.
    pub fn all(&self) -> Collected {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, collected: &Collected) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all += *collected;
    }
}
