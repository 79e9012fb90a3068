//! Sizes of what is stored, as the store says.

use crate::StoreError;
use crate::blobs::ObjectKey;
use crate::registry::Registry;

impl Registry {
    /// How many bytes an object has; nothing where it is not there. Background work.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn stored_size(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        self.parts.blobs.head(key).await
    }
}
