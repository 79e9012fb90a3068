//! Workload identity, where a configuration names issuers.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use wharf_auth::issuer::documents::{Documents, HttpDocuments};
use wharf_auth::issuer::keys::{IssuerKeys, read_keys};
use wharf_auth::workload::login::WorkloadLogins;
use wharf_auth::workload::verification::Workloads;
use wharf_core::clock::{Clock, SystemClock};
use wharf_core::metadata::TrustRules;

use crate::config::Config;

/// Who logs workloads in; `None` where no issuer is named.
pub fn open(config: &Config, rules: Arc<dyn TrustRules>) -> anyhow::Result<Option<WorkloadLogins>> {
    let settings = &config.workloads;
    if settings.issuers.is_empty() && settings.jwks_files.is_empty() {
        return Ok(None);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut issuers = BTreeMap::new();
    if !settings.issuers.is_empty() {
        let documents = HttpDocuments::new().context("workloads.issuers")?;
        let documents: Arc<dyn Documents> = Arc::new(documents);
        for issuer in settings.issuers.iter() {
            let (documents, clock) = (Arc::clone(&documents), Arc::clone(&clock));
            let keys = IssuerKeys::published(issuer.as_str(), documents, clock);
            issuers.insert(issuer.as_str().to_owned(), keys);
        }
    }
    for given in settings.jwks_files.iter() {
        let read = || anyhow::Ok(read_keys(&std::fs::read(given.file.as_ref())?)?);
        let keys = read().with_context(|| format!("workloads.jwks_files: {}", given.file))?;
        let keys = IssuerKeys::given(given.issuer.as_str(), keys, Arc::clone(&clock));
        issuers.insert(given.issuer.as_str().to_owned(), keys);
    }
    let workloads = Workloads::new(issuers, clock);
    Ok(Some(WorkloadLogins { workloads, rules, token_life: settings.token_life.get() }))
}
