//! The limits that a configuration asks for, and who keeps count of them.

use std::sync::Arc;

use wharf_auth::login_guard::GuardRules;
use wharf_cache::{MemoryLimiter, SharedLimiter};
use wharf_core::clock::SystemClock;
use wharf_core::limits::Limiter;
use wharf_http::api::{ImageLimits, ImageRates};
use wharf_http::origin::IpNet;

use crate::config::Config;

/// Who keeps count: all nodes together where they share a Redis, else this process.
pub fn limiter(shared: Option<Arc<SharedLimiter>>) -> Arc<dyn Limiter> {
    match shared {
        Some(shared) => shared,
        None => Arc::new(MemoryLimiter::new(Arc::new(SystemClock))),
    }
}

/// The limits of logins.
pub fn of_logins(config: &Config) -> GuardRules {
    let limits = &config.limits;
    GuardRules {
        requests: limits.token_requests.0,
        failures: limits.failed_logins.0,
        exempt: exempt_networks(config),
    }
}

/// The limits of pulls and pushes; `None` where there are none.
pub fn of_images(config: &Config, limiter: Arc<dyn Limiter>) -> Option<ImageLimits> {
    let limits = &config.limits;
    let pulls = ImageRates {
        anonymous: limits.anonymous_pulls.0,
        principal: limits.principal_pulls.0,
        namespace: limits.namespace_pulls.0,
    };
    let pushes = ImageRates {
        anonymous: limits.anonymous_pushes.0,
        principal: limits.principal_pushes.0,
        namespace: limits.namespace_pushes.0,
    };
    (pulls.is_any() || pushes.is_any()).then(|| ImageLimits {
        limiter,
        pulls,
        pushes,
        exempt_networks: exempt_networks(config),
        exempt_principals: limits.exempt_principals.to_vec(),
    })
}

/// Whose clients are not limited.
pub fn exempt_networks(config: &Config) -> Vec<IpNet> {
    config.limits.exempt_networks.iter().map(|network| network.get()).collect()
}
