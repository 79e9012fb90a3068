//! Garbage collection: the steps of a run, in their order. Each can be taken by any number of nodes at once and done again by any of them,
//! so a run that ends anywhere loses nothing; pushes go on meanwhile.

use std::num::NonZeroU32;
use std::ops::AddAssign;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::StoreError;
use crate::blobs::ObjectKey;
use crate::cache::Kind;
use crate::metadata::{Garbage, ManifestRules, Purged, Taken};
use crate::registry::Registry;

/// How garbage is collected.
#[derive(Clone, Copy, Debug)]
pub struct GarbageRules {
    /// How long something stays that nothing needs any more, and can be brought back; and then again, before its object is deleted.
    pub grace: Duration,
    /// After which time a manifest is collected that no tag needs; never without it.
    pub untagged_after: Option<Duration>,
    /// How many objects are deleted a second at most; as fast as the store does it without it.
    pub deletes_per_second: Option<NonZeroU32>,
}

/// How long after it was sent a delete may still land: far longer than a store takes a signed request, or a connection lives.
const LATEST_DELETE: Duration = Duration::from_secs(24 * 3600);

/// How many objects are deleted by one request at most. S3 takes 1000, one after the other: with fewer no store has little to do while the last
/// requests end.
const DELETES: usize = 250;

/// How many such requests are under way at once at most.
const DELETING: usize = 16;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Manifests that were deleted, since nothing needs them; they can be brought back.
    pub manifests: u64,
    /// Deleted manifests that cannot be brought back any more.
    pub forgotten: u64,
    /// Deleted repositories that cannot be brought back any more, with all that they held.
    pub repositories: u64,
    /// Memberships that were taken away.
    pub memberships: u64,
    /// Blobs that nobody held.
    pub condemned: u64,
    /// Objects that were deleted.
    pub deleted: u64,
    /// Objects that the store did not delete; they are tried again.
    pub failed: u64,
}

impl AddAssign for Collected {
    fn add_assign(&mut self, other: Self) {
        self.manifests += other.manifests;
        self.forgotten += other.forgotten;
        self.repositories += other.repositories;
        self.memberships += other.memberships;
        self.condemned += other.condemned;
        self.deleted += other.deleted;
        self.failed += other.failed;
    }
}

impl GarbageRules {
    const fn manifests(&self) -> ManifestRules {
        ManifestRules { grace: self.grace, untagged_after: self.untagged_after }
    }
}

impl Registry {
    /// Takes every step of which the time has come, but for [`collect_manifests`](Self::collect_manifests).
    ///
    /// # Errors
    /// A store's fault; what was done until then is done.
    pub async fn collect_garbage(
        &self,
        garbage: &dyn Garbage,
        rules: &GarbageRules,
    ) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        match self.take_steps(garbage, rules, &mut collected).await {
            // While nothing may be written, nothing is collected.
            Ok(()) | Err(StoreError::Closed(_)) => Ok(collected),
            Err(fault) => Err(fault),
        }
    }

    async fn take_steps(
        &self,
        garbage: &dyn Garbage,
        rules: &GarbageRules,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        let mut pace = Pace::of(garbage);
        loop {
            let taken = pace.step(|limit| garbage.empty_trash(rules.manifests(), limit)).await;
            let taken = self.taken(garbage, taken, Kind::Manifest).await?;
            collected.forgotten += taken.count;
            if taken == Taken::default() {
                break;
            }
        }
        let mut pace = Pace::of(garbage);
        loop {
            let purged = pace.step(|limit| garbage.purge_repositories(rules.grace, limit)).await?;
            collected.repositories += purged.repositories;
            // No cache has anything of them since they were deleted.
            if purged == Purged::default() {
                break;
            }
        }
        let (mut pace, mut after) = (Pace::of(garbage), None);
        loop {
            let step = |limit| garbage.sweep_memberships(after, rules.grace, limit);
            let taken = self.taken(garbage, pace.step(step).await, Kind::Blob).await?;
            collected.memberships += taken.count;
            after = taken.next;
            if after.is_none() {
                break;
            }
        }
        let mut pace = Pace::of(garbage);
        loop {
            let judged = pace.step(|limit| garbage.condemn_blobs(rules.grace, limit)).await?;
            collected.condemned += judged.condemned;
            if judged == Default::default() {
                break;
            }
        }
        self.delete_condemned(garbage, rules, collected).await?;
        let mut pace = Pace::of(garbage);
        while pace.step(|limit| garbage.forget_deleted(LATEST_DELETE, limit)).await? > 0 {}
        Ok(())
    }

    /// Walks over the manifests of all repositories, and deletes those that nothing needs.
    ///
    /// # Errors
    /// A store's fault; what was done until then is done.
    pub async fn collect_manifests(
        &self,
        garbage: &dyn Garbage,
        rules: &GarbageRules,
    ) -> Result<Collected, StoreError> {
        let (mut pace, mut collected) = (Pace::of(garbage), Collected::default());
        let mut after = None;
        loop {
            let step = |limit| garbage.collect_manifests(after, rules.manifests(), limit);
            let taken = match self.taken(garbage, pace.step(step).await, Kind::Manifest).await {
                Err(StoreError::Closed(_)) => return Ok(collected),
                taken => taken?,
            };
            collected.manifests += taken.count;
            after = taken.next;
            if after.is_none() {
                return Ok(collected);
            }
        }
    }

    /// Deletes the objects of condemned blobs, several requests at once. Only what the store has confirmed is written down, while others are
    /// deleted; the rest stays condemned. When nothing may be written any more, no further request is sent; those that were are waited for.
    async fn delete_condemned(
        &self,
        garbage: &dyn Garbage,
        rules: &GarbageRules,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        let (done, mut deletions) = mpsc::channel(1);
        let deleting = async move {
            let delete = async |keys: Vec<ObjectKey>| {
                let deletion = self.parts.blobs.delete_all(&keys).await;
                // Nobody listens any more where confirming failed, which then ends this, too.
                let _ = done.send((keys.len(), deletion)).await;
                Ok(())
            };
            let condemned = condemned(garbage, rules.deletes_per_second);
            condemned.try_for_each_concurrent(DELETING, delete).await
        };
        let confirming = async {
            let mut pace = Pace::of(garbage);
            while let Some((sent, mut deletion)) = deletions.recv().await {
                let (deleted, failed) = (deletion.gone.len(), sent - deletion.gone.len());
                while !deletion.gone.is_empty() {
                    let step = |limit| {
                        let rest = deletion.gone.len().saturating_sub(limit);
                        garbage.confirm_deleted(deletion.gone.split_off(rest))
                    };
                    pace.step(step).await?;
                }
                collected.deleted += deleted as u64;
                collected.failed += failed as u64;
                if let Some(error) = deletion.fault {
                    tracing::warn!(failed, %error, "objects of garbage were not deleted; they are tried again");
                }
            }
            Ok(())
        };
        tokio::try_join!(deleting, confirming).map(drop)
    }

    /// What a step took away, once no cache answers with it. Where the reply to a commit was lost, that may be something of any repository.
    async fn taken(
        &self,
        garbage: &dyn Garbage,
        taken: Result<Taken, StoreError>,
        kind: Kind,
    ) -> Result<Taken, StoreError> {
        match taken {
            Ok(taken) => self.forget_of(&taken.repositories, kind).await.map(|()| taken),
            Err(fault @ StoreError::Uncertain(_)) => {
                self.forget_all(garbage, kind).await;
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// The keys of condemned blobs, a request's worth at a time, and no faster than they may be deleted. Each is read when it is asked for, so that
/// its delete is sent soon.
fn condemned(
    garbage: &dyn Garbage,
    rate: Option<NonZeroU32>,
) -> impl Stream<Item = Result<Vec<ObjectKey>, StoreError>> {
    let rate = rate.map(NonZeroU32::get);
    let most = rate.map_or(DELETES, |rate| DELETES.min(rate as usize));
    stream::try_unfold((None, Instant::now()), move |(after, due)| async move {
        tokio::time::sleep_until(due).await;
        let began = Instant::now();
        let keys = match garbage.condemned_blobs(after, most).await {
            // An end and no error, which would drop the requests that are under way, and what they have deleted.
            Err(StoreError::Closed(_)) => return Ok(None),
            keys => keys?,
        };
        let Some(last) = keys.last().copied() else { return Ok(None) };
        let pause = rate.map_or(0.0, |rate| keys.len() as f64 / f64::from(rate));
        Ok(Some((keys, (Some(last), began + Duration::from_secs_f64(pause)))))
    })
}

/// How much a step takes on: as much as it gets done in a moment, so that no push waits long for the rows or the writer.
struct Pace {
    limit: usize,
    moment: Duration,
}

impl Pace {
    const LEAST: usize = 100;
    const MOST: usize = 5000;

    fn of(garbage: &dyn Garbage) -> Self {
        Self::new(garbage.moment())
    }

    const fn new(moment: Duration) -> Self {
        Self { limit: Self::LEAST, moment }
    }

    async fn step<T, F>(&mut self, step: impl FnOnce(usize) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let began = std::time::Instant::now();
        let result = step(self.limit).await;
        let took = began.elapsed();
        if took < self.moment / 2 {
            self.limit = (self.limit * 2).min(Self::MOST);
        } else if took > self.moment {
            self.limit = (self.limit / 2).max(Self::LEAST);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(40);

    #[tokio::test(start_paused = true)]
    async fn a_step_takes_on_what_it_gets_done_in_a_moment() {
        let mut pace = Pace::new(MOMENT);
        let mut limits = Vec::new();
        for _ in 0..8 {
            let step = async |limit| -> Result<(), StoreError> {
                limits.push(limit);
                Ok(())
            };
            assert!(pace.step(step).await.is_ok());
        }
        assert_eq!(limits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        let slow = async |_| -> Result<(), StoreError> {
            std::thread::sleep(MOMENT * 2);
            Ok(())
        };
        assert!(pace.step(slow).await.is_ok());
        assert_eq!(pace.limit, 2500);
    }
}
