//! The decision as an end-point of its own, where a configuration asks for it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use wharf_auth::fact_cache::FactCache;
use wharf_core::authority::Secret;
use wharf_core::metadata::Accounts;
use wharf_http::decision::{self, Endpoint};

use crate::config::Config;

/// The fewest characters of its secret.
const SHORTEST: usize = 32;

/// Serves it until `shutdown` is over. Returns once it listens, or at once where it is not asked for.
pub async fn begin(
    config: &Config,
    accounts: Arc<dyn Accounts>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let Some(address) = config.access.decision_listen.0 else { return Ok(()) };
    let file = config.access.decision_secret_file.0.as_ref();
    let secret = secret(file.context("access.decision_secret_file is not set")?.as_ref())?;
    let facts = FactCache::new(accounts, config.access.decision_cache.get());
    let endpoint = Endpoint::new(Arc::new(facts), &secret);
    let (bound, serving) = decision::serve(address, endpoint, shutdown)
        .await
        .with_context(|| format!("cannot listen on {address} (access.decision_listen)"))?;
    tracing::info!("decisions at http://{bound}{}", decision::PATH);
    tokio::spawn(serving);
    Ok(())
}

fn secret(file: &Path) -> anyhow::Result<Secret> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{shown} cannot be read (access.decision_secret_file)"))?;
    let text = text.trim();
    let is_secret = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(
        is_secret,
        "{shown} must hold one line of at least {SHORTEST} characters without spaces (access.decision_secret_file); make one by \
         `openssl rand -hex 32`"
    );
    Ok(Secret::new(text.to_owned()))
}
