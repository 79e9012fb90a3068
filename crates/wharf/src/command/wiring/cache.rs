//! The cache that a configuration asks for.

use std::sync::Arc;

use anyhow::Context;
use wharf_cache::{
    Beliefs, CacheStatus, EventTail, MemoryCache, SharedCache, SharedCacheSettings, SharedLimiter,
};
use wharf_core::cache::{Cache, Epochs};
use wharf_core::metadata::EventLog;

use crate::config::{CacheUrl, Config, DatabaseUrl};

/// A cache, how it stands, and what has it forget what other nodes changed, where there may be others.
pub struct Opened {
    pub cache: Arc<dyn Cache>,
    pub status: Arc<dyn CacheStatus>,
    /// What counts for limits where the cache is.
    pub limiter: Option<Arc<SharedLimiter>>,
    pub tail: Option<EventTail>,
}

/// Opens the cache.
pub async fn open(
    config: &Config,
    epochs: Arc<dyn Epochs>,
    events: Arc<dyn EventLog>,
) -> anyhow::Result<Opened> {
    let memory = config.cache.size.get();
    let beliefs = Beliefs {
        eventual: config.cache.eventual.to_vec(),
        eventual_life: config.cache.eventual_life.get(),
    };
    let shared = matches!(config.database.url, DatabaseUrl::Postgres(_));
    let mut limiter = None;
    let (cache, status): (Arc<dyn Cache>, Arc<dyn CacheStatus>) = match &config.cache.url {
        CacheUrl::Redis(url) => {
            let settings = SharedCacheSettings {
                url: (**url).clone(),
                time_limit: config.cache.timeout.get(),
                memory,
                beliefs,
            };
            let cache = Arc::new(SharedCache::new(settings, epochs).context("cache.url")?);
            cache.check().await.with_context(|| format!("{url} cannot be used (cache.url)"))?;
            limiter = Some(Arc::new(cache.limiter()));
            (Arc::clone(&cache) as _, cache)
        }
        _ => {
            let cache = Arc::new(if shared {
                MemoryCache::among_others(memory, beliefs)
            } else {
                MemoryCache::new(memory)
            });
            (Arc::clone(&cache) as _, cache)
        }
    };
    let tail = shared.then(|| EventTail::new(events, Arc::clone(&cache)));
    Ok(Opened { cache, status, limiter, tail })
}
