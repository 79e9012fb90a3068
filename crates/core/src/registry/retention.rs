//! Tags that a policy drops.

use crate::Error;
use crate::cache::Kind;
use crate::metadata::{DropOutcome, DropTag, Retention};
use crate::registry::Registry;

impl Registry {
    /// Drops a tag that a policy says is to go. Nobody asks for it who would have to be permitted to: whoever enabled the policy
    /// was.
    ///
    /// # Errors
    /// When deleting is switched off, or a store fails.
    pub async fn drop_tag(
        &self,
        store: &dyn Retention,
        drop: DropTag,
    ) -> Result<DropOutcome, Error> {
        self.allow_delete()?;
        let repository = drop.repository.clone();
        let outcome = store.drop_tag(drop).await;
        Ok(self.invalidated(&repository, Kind::Manifest, outcome).await?)
    }
}
