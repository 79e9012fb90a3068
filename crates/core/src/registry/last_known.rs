//! What is answered while the metadata are away: what a copy of them knew last, where there is one.

use crate::StoreError;
use crate::metadata::LastKnown;
use crate::registry::Registry;

impl Registry {
    /// What the metadata said, or what was known last where they are away. Nobody may cache the latter, so it
    /// is asked for only behind all caches.
    pub(super) async fn or_last_known<'a, T, F>(
        &'a self,
        said: Result<T, StoreError>,
        ask: impl FnOnce(&'a dyn LastKnown) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Option<T>>,
    {
        match (said, self.parts.last_known.as_deref()) {
            (Err(StoreError::Unavailable(reason)), Some(copy)) => {
                ask(copy).await.ok_or(StoreError::Unavailable(reason))
            }
            (said, _) => said,
        }
    }
}
