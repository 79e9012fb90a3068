//! What single namespaces and repositories hold, of those that the settings name: of all there may be too many for metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use wharf_core::metadata::{Scope, ScopeUsage, UsageMetadata};
use wharf_oci::RepositoryName;

use super::Families;

/// How long asking for one may take.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// Those that are told, with what they held when it was asked last; nothing where that is not known, or there is no such thing.
#[derive(Default)]
pub struct Scopes(Mutex<Vec<(String, Scope, Option<ScopeUsage>)>>);

impl Scopes {
    /// Of these names: one of a single component is a namespace.
    pub fn of(names: &[RepositoryName]) -> Self {
        let scope = |name: &RepositoryName| {
            let namespace = (!name.as_str().contains('/')).then(|| name.as_str().parse().ok());
            namespace.flatten().map_or_else(|| Scope::Repository(name.clone()), Scope::Namespace)
        };
        let names: BTreeMap<_, _> = names.iter().map(|name| (name.to_string(), name)).collect();
        let each = names.into_iter().map(|(text, name)| (text, scope(name), None));
        Self(Mutex::new(each.collect()))
    }

    /// Asks for all of them, until the database does not answer: what it does not say stays as it was.
    pub async fn ask(&self, usage: &dyn UsageMetadata) {
        for place in 0.. {
            let scope = self.with(|all| all.get(place).map(|(_, scope, _)| scope.clone()));
            let Some(scope) = scope else { return };
            match timeout(ASKED_WITHIN, usage.find_usage(scope)).await {
                Ok(Ok(found)) => self.with(|all| all[place].2 = found),
                _ => return,
            }
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<(String, Scope, Option<ScopeUsage>)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn tell(&self, to: &mut Families<'_, '_>) -> fmt::Result {
        self.with(|all| {
            let known = || all.iter().filter_map(|(name, _, found)| Some((name.as_str(), (*found)?)));
            to.gauges(
                "usage_scope_bytes",
                "What a namespace or repository holds: with what its manifests name, once each, of what no manifest needs yet; and its quota",
                known().flat_map(|(name, ScopeUsage { usage, quota, .. })| {
                    let told = [
                        ("referenced", Some(usage.referenced)),
                        ("bytes", Some(usage.bytes)),
                        ("reserved", Some(usage.reserved)),
                        ("quota", quota.bytes),
                    ];
                    of(name, told)
                }),
            )?;
            to.gauges(
                "usage_scope_manifests",
                "Its manifests, and its quota of them",
                known().flat_map(|(name, ScopeUsage { usage, quota, .. })| {
                    of(name, [("used", Some(usage.manifests)), ("quota", quota.manifests)])
                }),
            )?;
            to.gauges(
                "usage_scope_tags",
                "Its tags, and its quota of them",
                known().flat_map(|(name, ScopeUsage { usage, quota, .. })| {
                    of(name, [("used", Some(usage.tags)), ("quota", quota.tags)])
                }),
            )
        })
    }
}

/// What is known of a scope, with its labels.
fn of<'a, const N: usize>(
    name: &'a str,
    told: [(&'a str, Option<u64>); N],
) -> impl Iterator<Item = ([(&'a str, &'a str); 2], f64)> {
    let known = told.into_iter().filter_map(|(kind, value)| Some((kind, value?)));
    known.map(move |(kind, value)| ([("scope", name), ("kind", kind)], value as f64))
}
