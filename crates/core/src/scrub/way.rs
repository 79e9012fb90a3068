//! A turn on its way: how far it is, when that is recorded, and what becomes of what it finds.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wharf_oci::Digest;

use super::{Scrubbed, Scrubber, TurnEnd};
use crate::StoreError;
use crate::blobs::{Blobs, ObjectKey};
use crate::cache::Kind;
use crate::metadata::{Damage, FaultKind, Integrity, Pass, PassState};

/// How often it is recorded how far it is, about.
const RECORDED_EVERY: Duration = Duration::from_secs(10);

/// How many repositories are told at once that what they cached is not true.
const HOLDERS: usize = 500;

/// How often the database is asked to take one object out of use, where it is not known whether it did.
const TRIES: u32 = 8;

/// The pause before it is asked again at first; each is twice as long as the one before: half a minute in all.
const PAUSE: Duration = Duration::from_millis(250);

/// A turn.
pub(super) struct Way<'a> {
    pub(super) scrubber: &'a Scrubber,
    pub(super) pass: Pass,
    pub(super) state: PassState,
    pub(super) done: &'a mut Scrubbed,
    /// Whether blobs are repaired still.
    pub(super) repairs: bool,
    until: Instant,
    recorded: Instant,
}

impl<'a> Way<'a> {
    pub(super) async fn begin(
        scrubber: &'a Scrubber,
        pass: Pass,
        done: &'a mut Scrubbed,
    ) -> Result<Self, StoreError> {
        let state = scrubber.integrity.begin_pass(pass).await?;
        let now = Instant::now();
        let until = now + scrubber.rules.turn;
        Ok(Self { scrubber, pass, state, done, repairs: true, until, recorded: now })
    }

    pub(super) async fn end(mut self, end: TurnEnd) -> Result<(), StoreError> {
        if end == TurnEnd::Whole {
            self.done.resolved += self.integrity().resolve_findings().await?;
        }
        self.record(end == TurnEnd::Whole).await
    }

    pub(super) fn integrity(&self) -> &'a dyn Integrity {
        &*self.scrubber.integrity
    }

    /// All objects that can be read, also those of a store that was adopted.
    pub(super) fn blobs(&self) -> &'a dyn Blobs {
        &*self.scrubber.registry.stores().blobs
    }

    pub(super) fn looked_at(&mut self, count: usize) {
        self.state.looked_at += count as u64;
        self.done.looked_at += count as u64;
    }

    /// A place to go on from. Records it in time; returns whether the turn is over.
    pub(super) async fn rest(&mut self) -> Result<bool, StoreError> {
        if self.recorded.elapsed() >= RECORDED_EVERY {
            self.record(false).await?;
        }
        Ok(Instant::now() >= self.until)
    }

    async fn record(&mut self, end: bool) -> Result<(), StoreError> {
        self.integrity().record_pass(self.pass, self.state.clone(), end).await?;
        self.recorded = Instant::now();
        Ok(())
    }

    /// Rests as long as the last step took, so that others have the stores for themselves half of the time.
    pub(super) async fn breathe(&self, since: Instant) {
        sleep(since.elapsed()).await;
    }

    pub(super) fn found(&mut self, kind: FaultKind, count: u64) {
        if count > 0 {
            self.state.found += count;
            *self.done.found.entry(kind).or_default() += count;
        }
    }

    /// Takes a damaged object out of use, unless it is not in use any more.
    pub(super) async fn damaged(
        &mut self,
        key: ObjectKey,
        damage: Damage,
    ) -> Result<(), StoreError> {
        if self.quarantine(key, damage).await? {
            tracing::error!(
                object = %key, %damage,
                "the object of a blob is damaged: it is quarantined, and the blob is served again when a copy of it is found, or it is pushed again"
            );
            self.found(damage.kind(), 1);
            self.forget_cached(key.digest).await?;
        }
        Ok(())
    }

    /// Returns whether the object was in use until now. Where nobody knows, it is asked for again, which waits for what was asked before; and it was,
    /// as far as caches go: else none would be told.
    async fn quarantine(&self, key: ObjectKey, damage: Damage) -> Result<bool, StoreError> {
        let (mut is_uncertain, mut pause) = (false, PAUSE);
        for _ in 1..TRIES {
            match self.integrity().quarantine(key, damage).await {
                Err(StoreError::Uncertain(_)) => is_uncertain = true,
                Err(StoreError::Unavailable(_)) if is_uncertain => {}
                known => return known.map(|was_in_use| was_in_use || is_uncertain),
            }
            sleep(pause).await;
            pause *= 2;
        }
        self.integrity().quarantine(key, damage).await.map(|_| true)
    }

    /// An object is what its digest says.
    pub(super) async fn sound(&mut self, key: ObjectKey) -> Result<(), StoreError> {
        if self.integrity().note_sound(key).await? {
            tracing::info!(object = %key, "a quarantined object is sound: it is served again");
            self.done.restored += 1;
            self.forget_cached(key.digest).await?;
        }
        Ok(())
    }

    /// No cache answers with what was before.
    pub(super) async fn forget_cached(&self, digest: Digest) -> Result<(), StoreError> {
        let cache = &self.scrubber.registry.stores().cache;
        let mut after = None;
        loop {
            let holders = self.integrity().holders(digest, after, HOLDERS).await?;
            for (_, repository) in &holders {
                cache.invalidate(repository, Kind::Blob).await?;
            }
            after = holders.last().map(|(row, _)| *row);
            if holders.len() < HOLDERS {
                return Ok(());
            }
        }
    }
}
