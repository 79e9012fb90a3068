//! The cache that a configuration asks for.

use std::sync::Arc;

use anyhow::Context;
use wharf_cache::{MemoryCache, SharedCache, SharedCacheSettings};
use wharf_core::cache::{Cache, Epochs};

use crate::config::{CacheUrl, Config, DatabaseUrl};

/// Opens the cache.
pub async fn open(config: &Config, epochs: Arc<dyn Epochs>) -> anyhow::Result<Arc<dyn Cache>> {
    let memory = config.cache.size.get();
    let CacheUrl::Redis(url) = &config.cache.url else {
        // What another node writes would not be seen here: with a database that nodes share, nothing is kept.
        let alone = !matches!(config.database.url, DatabaseUrl::Postgres(_));
        return Ok(Arc::new(MemoryCache::new(if alone { memory } else { 0 })));
    };
    let settings = SharedCacheSettings {
        url: (**url).clone(),
        time_limit: config.cache.timeout.get(),
        memory,
        eventual: config.cache.eventual.to_vec(),
        eventual_life: config.cache.eventual_life.get(),
    };
    let cache = SharedCache::new(settings, epochs).context("cache.url")?;
    cache.check().await.with_context(|| format!("{url} cannot be used (cache.url)"))?;
    Ok(Arc::new(cache))
}
