//! A collector as a node of the role `jobs` is one, without a grace.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use wharf_cache::MemoryCache;
use wharf_core::blobs::Blobs;
use wharf_core::metadata::{Garbage, Metadata};
use wharf_core::permissions::Everyone;
use wharf_core::{Collected, GarbageRules, Parts, Registry, Rules};

const AT_ONCE: GarbageRules =
    GarbageRules { grace: Duration::ZERO, untagged_after: None, deletes_per_second: None };

pub struct Collector {
    registry: Registry,
}

impl Collector {
    pub fn new(metadata: Arc<dyn Metadata>, blobs: Arc<dyn Blobs>) -> Self {
        let parts =
            Parts::new(metadata, blobs, Arc::new(MemoryCache::new(1 << 20)), Arc::new(Everyone));
        Self { registry: Registry::new(parts, Rules::default()) }
    }

    /// A whole run.
    pub async fn run(&self, garbage: &dyn Garbage) -> Result<Collected> {
        Ok(self.registry.collect_garbage(garbage, &AT_ONCE).await?)
    }
}
