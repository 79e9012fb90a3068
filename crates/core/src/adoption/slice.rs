//! An adoption in slices, each of which goes on from where the last one was recorded: on any node, after any end.

use std::sync::Arc;
use std::time::Duration;

use super::fault::Stop;
use super::journey::Journey;
use super::recorded::Recorded;
use crate::StoreError;
use crate::metadata::{AdoptionState, Adoptions};
use crate::old_store::OldStore;
use crate::registry::Registry;

/// Works on adoptions of one other registry.
pub struct Adopter {
    /// The registry that adopts. Its blobs are those of the other one too.
    pub registry: Arc<Registry>,
    /// Where it is recorded.
    pub adoptions: Arc<dyn Adoptions>,
    /// The other registry's store.
    pub store: Arc<dyn OldStore>,
    /// How settings name that store.
    pub source: String,
    /// How many bytes a second are read to be hashed, at most.
    pub bytes_per_second: u64,
    /// How long a slice is, about: after that long it ends at the next good place.
    pub slice: Duration,
}

/// How a slice ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceEnd {
    /// There is more to do.
    More,
    /// There is nothing to do.
    Done,
    /// The adoption is of this other store, which the node does not know.
    Elsewhere(String),
}

impl Adopter {
    /// Works on the adoption that runs, if one does.
    ///
    /// # Errors
    /// A store's fault: the slice may be tried again.
    pub async fn work(&self) -> Result<SliceEnd, StoreError> {
        let running = self.adoptions.last_adoption().await?;
        let running = running.filter(|adoption| adoption.state == AdoptionState::Running);
        let Some(adoption) = running else { return Ok(SliceEnd::Done) };
        if adoption.source != self.source {
            return Ok(SliceEnd::Elsewhere(adoption.source));
        }
        let (only, progress) = (adoption.repositories.clone(), adoption.progress.clone());
        let max_manifest_size = self.registry.rules().max_manifest_size;
        let journey = Journey { store: &*self.store, only: only.as_ref(), max_manifest_size };
        let mut target = Recorded::new(
            &self.registry,
            &self.adoptions,
            adoption,
            self.bytes_per_second,
            self.slice,
        );
        let way = async {
            if progress.repositories_total.is_none() {
                let total = journey.count().await?;
                target.counted(total).await?;
            }
            journey.go(&mut target, progress.done_up_to).await?;
            target.record(true).await
        };
        match way.await {
            Ok(()) => Ok(SliceEnd::Done),
            // Where it was not stopped, somebody who had it before has recorded late.
            Err(Stop::Slice | Stop::Lost) => Ok(SliceEnd::More),
            Err(Stop::Store(error)) => Err(error),
            Err(Stop::OverQuota(over)) => Err(StoreError::OverQuota(over)),
        }
    }
}
