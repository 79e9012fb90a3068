//! Collects garbage: what was deleted and cannot be brought back any more, what nothing needs, and the objects that nobody holds.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::{Garbage, JobOutcome};
use wharf_core::{Collected, GarbageRules, Registry};

use crate::upkeep::again;
use crate::{GarbageCounters, Handler};

/// The kind of the job that takes steps whose time has come.
pub(crate) const COLLECT: &str = "garbage.collect";

/// The kind of the job that walks over all manifests.
pub(crate) const MANIFESTS: &str = "garbage.manifests";

/// The settings.
#[derive(Clone, Copy, Debug)]
pub struct GarbageSettings {
    /// What goes when.
    pub rules: GarbageRules,
    /// How long it rests between two looks.
    pub interval: Duration,
}

impl Default for GarbageSettings {
    /// Looks every five minutes; what was deleted can be brought back for a day, and what has no tag is kept.
    fn default() -> Self {
        let grace = Duration::from_secs(24 * 3600);
        let rules = GarbageRules { grace, untagged_after: None, deletes_per_second: None };
        Self { rules, interval: Duration::from_secs(300) }
    }
}

/// What both jobs stand on.
#[derive(Clone)]
pub struct Collector {
    /// The registry.
    pub registry: Arc<Registry>,
    /// What is garbage.
    pub garbage: Arc<dyn Garbage>,
    /// The settings.
    pub settings: GarbageSettings,
    /// What was collected here.
    pub counters: Arc<GarbageCounters>,
}

impl Collector {
    fn ended(
        &self,
        result: Result<Collected, wharf_core::StoreError>,
        rest: Duration,
    ) -> JobOutcome {
        if let Ok(collected) = &result {
            self.counters.add(collected);
            if *collected != Collected::default() {
                let Collected {
                    manifests,
                    forgotten,
                    repositories,
                    memberships,
                    condemned,
                    deleted,
                    failed,
                } = collected;
                tracing::info!(
                    manifests,
                    forgotten,
                    repositories,
                    memberships,
                    condemned,
                    deleted,
                    failed,
                    "collected garbage"
                );
            }
        }
        again(result.map(drop), rest)
    }
}

/// The job that takes steps whose time has come.
pub struct CollectGarbage(pub Collector);

#[async_trait]
impl Handler for CollectGarbage {
    fn kind(&self) -> &'static str {
        COLLECT
    }

    async fn run(&self, _: &str) -> JobOutcome {
        let Collector { registry, garbage, settings, .. } = &self.0;
        let collected = registry.collect_garbage(&**garbage, &settings.rules).await;
        self.0.ended(collected, settings.interval)
    }
}

/// The job that walks over all manifests. It rests a hundred times as long: what was deleted takes its own with it without this.
pub struct CollectManifests(pub Collector);

#[async_trait]
impl Handler for CollectManifests {
    fn kind(&self) -> &'static str {
        MANIFESTS
    }

    async fn run(&self, _: &str) -> JobOutcome {
        let Collector { registry, garbage, settings, .. } = &self.0;
        let collected = registry.collect_manifests(&**garbage, &settings.rules).await;
        self.0.ended(collected, settings.interval * 100)
    }
}
