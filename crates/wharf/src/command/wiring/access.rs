//! Access control, where a configuration asks for it: keys, who verifies tokens, who issues them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use wharf_auth::fact_cache::FactCache;
use wharf_auth::key_store::KeyStore;
use wharf_auth::keys::make_first;
use wharf_auth::login_guard::{GuardParts, LoginGuard};
use wharf_auth::password::Passwords;
use wharf_auth::sign_in::{SignIn, Tokens};
use wharf_auth::token::Authority;
use wharf_core::clock::{SystemClock, SystemRandom};
use wharf_core::permissions::{AsGranted, Everyone, Permissions};
use wharf_http::api::Access;

use super::{Node, browser, ldap, limits, management, workloads};
use crate::config::{Config, Role};

/// How often the folder of keys is looked at.
const KEYS_EVERY: Duration = Duration::from_secs(30);

/// How many passwords are hashed at once: each takes 19 MiB and some tens of milliseconds of a core.
const HASHES_AT_ONCE: usize = 4;

/// Who decides what may be done.
pub fn permissions(config: &Config) -> Arc<dyn Permissions> {
    if config.access.control { Arc::new(AsGranted) } else { Arc::new(Everyone) }
}

/// Who verifies and who issues tokens; `None` where everyone is served.
pub fn open(config: &Config, node: &Node) -> anyhow::Result<Option<Access>> {
    if !config.access.control {
        return Ok(None);
    }
    let folder = keys_folder(config);
    let issues = config.node.roles.contains(&Role::Token);
    if config.access.keys.is_none() && issues && make_first(&folder).context("access.keys")? {
        tracing::info!(folder = %folder.display(), "made a first key to sign tokens by");
    }
    let keys = Arc::new(KeyStore::open(&folder).context("access.keys")?);
    ensure!(
        !issues || keys.current().can_sign(),
        "access.keys: {} holds public keys only, and this node issues tokens (node.roles): put a \
         private key there, or leave `token` out of its roles",
        folder.display()
    );
    let service = config.access.service.as_str().to_owned();
    let authority = Authority {
        issuer: service.clone(),
        service: service.clone(),
        life: config.access.token_life.get(),
    };
    let clock = Arc::new(SystemClock);
    let verifier = Arc::new(Tokens::new(Arc::clone(&keys), authority.clone(), clock));
    let (issuer, management, browsers) = if issues {
        let (accounts, audit) = (Arc::clone(&node.accounts), Arc::clone(&node.audit));
        let passwords = Passwords::new(HASHES_AT_ONCE)?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let (keys, workloads) =
            (Arc::clone(&keys), workloads::open(config, Arc::clone(&node.trust))?);
        let directory =
            ldap::open(config, Arc::clone(&node.people.identities), Arc::clone(&accounts))?;
        let facts = FactCache::new(Arc::clone(&accounts), config.access.token_cache.get());
        let sign_in = SignIn {
            accounts: Arc::clone(&accounts),
            facts,
            keys,
            authority,
            passwords: passwords.clone(),
            clock,
            random,
            workloads,
            directory,
        };
        let (limiter, rules) = (Arc::clone(&node.limiter), limits::of_logins(config));
        let parts = GuardParts { issuer: sign_in, limiter, rules, accounts, audit };
        let guard = Arc::new(LoginGuard::new(parts));
        let management = management::open(config, node, passwords, Arc::clone(&guard) as _);
        let browsers = browser::open(config, node, Arc::clone(&guard) as _)?;
        (Some(guard as _), Some(management), Some(browsers))
    } else {
        (None, None, None)
    };
    tokio::spawn(look_for_keys(keys));
    let realm = config.access.token_url.as_ref().map(|url| format!("{}/token", url.as_str()));
    Ok(Some(Access { verifier, issuer, management, browsers, service, realm }))
}

fn keys_folder(config: &Config) -> PathBuf {
    match &config.access.keys.0 {
        Some(folder) => folder.as_ref().to_owned(),
        None => config.data.folder.as_ref().join("keys"),
    }
}

async fn look_for_keys(keys: Arc<KeyStore>) {
    loop {
        tokio::time::sleep(KEYS_EVERY).await;
        let again = Arc::clone(&keys);
        match tokio::task::spawn_blocking(move || again.read_again()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the keys that were read before stay in use"),
            Err(_) => return,
        }
    }
}
