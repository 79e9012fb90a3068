//! Counts what repositories and namespaces hold, and what is stored of it: finds the sizes of blobs that have none, corrects counters that are
//! not what their rows say, and tells.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    BlobSize, Counted, JobOutcome, RegistryUsage, ScopeKind, StoredCount, UsageMetadata,
};
use wharf_core::{Registry, StoreError};

use crate::Handler;
use crate::upkeep::again;

/// How many blobs have their sizes asked for, and recorded, in one go.
const SIZES: usize = 50;

/// How many repositories or namespaces one transaction counts.
const SCOPES: usize = 8;

/// How many blobs or manifests one transaction adds up.
const STORED: usize = 5000;

/// The kind.
pub(crate) const KIND: &str = "usage.count";

/// What was counted in this process.
#[derive(Debug, Default)]
pub struct UsageCounters(Mutex<Figures>);

/// The figures of [`UsageCounters`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// How many repositories and namespaces were counted wrongly, and corrected.
    pub corrected: u64,
    /// By how many bytes, manifests and tags together.
    pub drift: u64,
    /// How many repositories and namespaces were passed over, since they took too long.
    pub passed_over: u64,
    /// What all held at the end of the last count, if one ended here.
    pub last: Option<RegistryUsage>,
}

impl UsageCounters {
    /// What was counted so far.
    pub fn figures(&self) -> Figures {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a count has come, so that one which was broken off goes on where it was.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Sizes(Option<ObjectKey>),
    Scopes(ScopeKind, Option<i64>),
    Stored(StoredCount),
}

/// The job.
pub struct UsageCount {
    registry: Arc<Registry>,
    usage: Arc<dyn UsageMetadata>,
    counters: Arc<UsageCounters>,
    interval: Duration,
    stage: Mutex<Stage>,
}

impl UsageCount {
    /// Counts everything, and again when `interval` has passed.
    pub fn new(
        registry: Arc<Registry>,
        usage: Arc<dyn UsageMetadata>,
        counters: Arc<UsageCounters>,
        interval: Duration,
    ) -> Self {
        Self { registry, usage, counters, interval, stage: Mutex::new(Stage::Sizes(None)) }
    }

    async fn count(&self) -> Result<(), StoreError> {
        loop {
            let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            let next = self.step(stage).await?;
            *self.stage.lock().unwrap_or_else(PoisonError::into_inner) =
                next.unwrap_or(Stage::Sizes(None));
            if next.is_none() {
                break;
            }
        }
        self.counters.lock().last = Some(self.usage.registry_usage().await?);
        Ok(())
    }

    /// A step, and what comes behind it; nothing behind the last.
    async fn step(&self, stage: Stage) -> Result<Option<Stage>, StoreError> {
        Ok(match stage {
            Stage::Sizes(after) => {
                let after = after.map(|key| key.digest);
                let keys = self.usage.unsized_blobs(after, SIZES).await?;
                let mut sizes = Vec::with_capacity(keys.len());
                for key in &keys {
                    // One that is not in the store has no size; that it is missing is not found out here.
                    if let Some(bytes) = self.registry.stored_size(key).await? {
                        sizes.push(BlobSize { digest: key.digest, bytes });
                    }
                }
                // Of a blob with very many memberships some are left.
                while !sizes.is_empty() && self.usage.record_sizes(sizes.clone()).await? > 0 {}
                Some(match keys.last() {
                    Some(last) => Stage::Sizes(Some(*last)),
                    None => Stage::Scopes(ScopeKind::Repositories, None),
                })
            }
            Stage::Scopes(kind, after) => {
                Some(match (self.count_scopes(kind, after).await?, kind) {
                    (Some(next), _) => Stage::Scopes(kind, Some(next)),
                    (None, ScopeKind::Repositories) => Stage::Scopes(ScopeKind::Namespaces, None),
                    (None, ScopeKind::Namespaces) => Stage::Stored(StoredCount::default()),
                })
            }
            Stage::Stored(count) => {
                self.usage.count_stored(count, STORED).await?.map(Stage::Stored)
            }
        })
    }

    /// Counts some scopes, and returns where to go on. Where together they take too long, each is counted by itself; one that takes too long
    /// even so is told of and passed over until the next count, so that it does not stop those behind it. Any other fault is not about a scope:
    /// the count ends with it, and goes on here later.
    async fn count_scopes(
        &self,
        kind: ScopeKind,
        mut after: Option<i64>,
    ) -> Result<Option<i64>, StoreError> {
        match self.usage.count_scopes(kind, after, SCOPES).await {
            Ok(counted) => {
                self.tell(&counted);
                return Ok(counted.next);
            }
            Err(StoreError::TooMuch(_)) => {}
            Err(fault) => return Err(fault),
        }
        for _ in 0..SCOPES {
            let Some(scope) = self.usage.next_scope(kind, after).await? else { return Ok(None) };
            match self.usage.count_scopes(kind, after, 1).await {
                Ok(counted) => self.tell(&counted),
                Err(StoreError::TooMuch(too_much)) => {
                    let (scope, reason) = (&scope.name, too_much.to_string());
                    tracing::warn!(
                        scope,
                        reason,
                        "the usage was not counted; its counters stay as they are until the next count"
                    );
                    self.counters.lock().passed_over += 1;
                }
                Err(fault) => return Err(fault),
            }
            after = Some(scope.number);
        }
        Ok(after)
    }

    fn tell(&self, counted: &Counted) {
        for drift in &counted.drifts {
            let (scope, bytes, rows) = (&drift.scope, drift.bytes, drift.rows);
            tracing::warn!(
                scope,
                bytes,
                rows,
                "the usage was counted wrongly; it is what the rows say now"
            );
        }
        let mut figures = self.counters.lock();
        figures.corrected += counted.drifts.len() as u64;
        figures.drift += counted.drifts.iter().map(|drift| drift.bytes + drift.rows).sum::<u64>();
    }
}

#[async_trait]
impl Handler for UsageCount {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.count().await, self.interval)
    }
}
