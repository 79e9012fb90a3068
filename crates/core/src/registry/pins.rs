//! Pins: what keeps a manifest whatever tags do.

use crate::clock::Timestamp;
use crate::error::Gone;
use crate::metadata::{Pin, PinManifest, PinOutcome, PinTarget, UnpinManifest};
use crate::operation::{ListPins, PutPin, RemovePin};
use crate::permissions::Permitted;
use crate::registry::{Listing, Registry};
use crate::{Error, Missing, Result};

impl Registry {
    /// Pins a manifest, or has the pin of that name last longer. Returns it, and whether it is new.
    ///
    /// # Errors
    /// [`Missing::Manifest`]; [`Error::Gone`] where the tag stood at what is not held any more, or the manifest needs
    /// such; [`Error::Unpinnable`] where a rule is against it.
    pub async fn pin_manifest(
        &self,
        operation: &Permitted<PutPin>,
        target: PinTarget,
        until: Option<Timestamp>,
    ) -> Result<(Pin, bool)> {
        let PutPin { repository, name } = &**operation;
        let asked = PinManifest {
            repository: repository.clone(),
            name: name.clone(),
            target,
            until,
            by: operation.actor(),
        };
        match self.parts.metadata.pin_manifest(asked).await? {
            PinOutcome::Pinned { pin, is_new } => Ok((pin, is_new)),
            PinOutcome::NotFound(reference) => {
                Err(Missing::Manifest(repository.clone(), reference).into())
            }
            PinOutcome::Forgotten(tag, since) => Err(Gone::Forgotten { tag, since }.into()),
            PinOutcome::Gone(digest) => {
                Err(Gone::Collected { repository: repository.clone(), digest }.into())
            }
            PinOutcome::Refused(reason) => Err(Error::Unpinnable(reason)),
        }
    }

    /// Takes a pin away.
    ///
    /// # Errors
    /// [`Missing::Pin`].
    pub async fn unpin_manifest(&self, operation: &Permitted<RemovePin>) -> Result<()> {
        let RemovePin { repository, name } = &**operation;
        let asked = UnpinManifest {
            repository: repository.clone(),
            name: name.clone(),
            by: operation.actor(),
        };
        if self.parts.metadata.unpin_manifest(asked).await? {
            return Ok(());
        }
        Err(Missing::Pin(repository.clone(), name.clone()).into())
    }

    /// Lists the pins of a repository in the order of their names, after `after`, `limit` of them.
    ///
    /// # Errors
    /// [`Missing::Repository`].
    pub async fn list_pins(
        &self,
        operation: &Permitted<ListPins>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listing<Pin>> {
        let repository = &operation.repository;
        let found = self.parts.metadata.list_pins(repository.clone(), after, limit + 1).await?;
        let mut items = found.ok_or_else(|| Missing::Repository(repository.clone()))?;
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Listing { items, more })
    }
}
