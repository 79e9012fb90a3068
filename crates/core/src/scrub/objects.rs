//! The objects in the store beside the blobs that repositories hold, both in the order of their digests: what only the one has, what only
//! the other, and where the sizes differ. It costs a list of the store and no request for each object.

use std::collections::HashMap;
use std::time::SystemTime;

use tokio::time::Instant;

use super::TurnEnd;
use super::way::Way;
use crate::StoreError;
use crate::blobs::{ObjectKey, StoredObject, StoredPage};
use crate::metadata::{CheckedBlob, Damage, FaultKind};

/// How many objects or blobs are looked at in one go.
const PAGE: usize = 1000;

/// From so many blobs of a page on that are not in the store, while none of the others is, it is taken for the wrong store.
pub(super) const SUSPICIOUS: usize = 20;

/// Why nothing is taken out of use for that.
pub(super) fn wrong_store(missing: usize) -> StoreError {
    StoreError::Unavailable(format!(
        "none of {missing} blobs that repositories hold is in the store: nothing was quarantined for that; \
         is this the right store (blobs.url), and is its disk mounted?"
    ))
}

impl Way<'_> {
    pub(super) async fn objects(&mut self) -> Result<TurnEnd, StoreError> {
        loop {
            let began = Instant::now();
            let after = self.state.place.digest;
            let page = self.scrubber.objects.list_objects(after, PAGE).await?;
            self.done.unknown += page.unknown;
            self.unexplained(&page.objects).await?;
            self.beside(&page).await?;
            self.looked_at(page.objects.len());
            self.state.place.digest = page.up_to;
            if page.up_to.is_none() {
                return Ok(TurnEnd::Whole);
            }
            if self.rest().await? {
                return Ok(TurnEnd::Part);
            }
            self.breathe(began).await;
        }
    }

    /// Asks of objects why they are there. That is no race with pushes: whatever is marked is looked at again when the grace is over, and
    /// whoever comes to hold it takes the mark away. The age only keeps the findings free of what is on its way.
    async fn unexplained(&mut self, objects: &[StoredObject]) -> Result<(), StoreError> {
        let newest = SystemTime::now().checked_sub(self.scrubber.rules.grace);
        let old = |object: &&StoredObject| newest.is_some_and(|newest| object.modified <= newest);
        let keys: Vec<_> = objects.iter().filter(old).map(|object| object.key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let found = self.integrity().mark_unexplained(keys).await?;
        for key in &found {
            tracing::warn!(object = %key, "an object is in the store and no row says why: it is marked as garbage");
        }
        self.found(FaultKind::Unexplained, found.len() as u64);
        Ok(())
    }

    /// Compares blobs with the objects of the same part of the store.
    async fn beside(&mut self, page: &StoredPage) -> Result<(), StoreError> {
        let sizes: HashMap<ObjectKey, u64> =
            page.objects.iter().map(|object| (object.key, object.size)).collect();
        let mut after = self.state.place.digest;
        loop {
            let blobs = self.integrity().held_blobs(after, page.up_to, PAGE).await?;
            let Some(last) = blobs.last() else { return Ok(()) };
            after = Some(last.key.digest);
            self.compare(&blobs, &sizes).await?;
        }
    }

    async fn compare(
        &mut self,
        blobs: &[CheckedBlob],
        sizes: &HashMap<ObjectKey, u64>,
    ) -> Result<(), StoreError> {
        let (mut damaged, mut missing, mut met) = (Vec::new(), Vec::new(), 0);
        for blob in blobs.iter().filter(|blob| !blob.is_quarantined) {
            let found = match sizes.get(&blob.key) {
                Some(found) => Some(*found),
                // It may have come since the list was made, or lie in the store that was adopted.
                None => self.blobs().head(&blob.key).await?,
            };
            match (found, blob.size) {
                (None, _) => missing.push(blob.key),
                (Some(found), Some(expected)) if found != expected => {
                    damaged.push((blob.key, Damage::WrongSize { expected, found }));
                }
                (Some(_), _) => met += 1,
            }
        }
        if met == 0 && missing.len() >= SUSPICIOUS {
            return Err(wrong_store(missing.len()));
        }
        damaged.extend(missing.into_iter().map(|key| (key, Damage::Missing)));
        for (key, damage) in damaged {
            self.damaged(key, damage).await?;
        }
        Ok(())
    }
}
