//! What manifests need, beside what their repositories hold.

use tokio::time::Instant;

use super::TurnEnd;
use super::way::Way;
use crate::StoreError;
use crate::metadata::{FaultKind, HeldPlace};

/// How many manifests are looked at in one go.
const PAGE: usize = 500;

impl Way<'_> {
    pub(super) async fn references(&mut self) -> Result<TurnEnd, StoreError> {
        loop {
            let began = Instant::now();
            let place = &self.state.place;
            let after = place.repository.zip(place.digest);
            let after = after.map(|(repository, digest)| HeldPlace { repository, digest });
            let checked = self.integrity().check_references(after, PAGE).await?;
            if checked.found > 0 {
                let found = checked.found;
                tracing::error!(
                    found,
                    "manifests need what their repositories do not hold; see `wharf scrub findings`"
                );
            }
            self.found(FaultKind::BrokenReference, checked.found);
            self.looked_at(usize::try_from(checked.manifests).unwrap_or(PAGE));
            let Some(HeldPlace { repository, digest }) = checked.next else {
                return Ok(TurnEnd::Whole);
            };
            self.state.place.repository = Some(repository);
            self.state.place.digest = Some(digest);
            if self.rest().await? {
                return Ok(TurnEnd::Part);
            }
            self.breathe(began).await;
        }
    }
}
