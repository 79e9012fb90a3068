//! Facts of decisions that are a little old: for who asks about many at once and can wait so long for a right to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use wharf_core::StoreError;
use wharf_core::access::Facts;
use wharf_core::metadata::Accounts;
use wharf_core::permissions::{Decided, Decisions, Principal};
use wharf_oci::RepositoryName;

use crate::decision;

/// How much is kept: facts count one, and one for each grant in them.
const MOST: u64 = 100_000;

/// How many facts that may be, roughly.
const ITEMS: usize = 20_000;

type Key = (Principal, RepositoryName);

/// Facts, and when they were asked for.
#[derive(Clone)]
struct Known {
    facts: Arc<Facts>,
    at: Instant,
}

#[derive(Clone)]
struct ByGrants;

impl Weighter<Key, Known> for ByGrants {
    fn weight(&self, _: &Key, known: &Known) -> u64 {
        let grants = known.facts.namespace.as_ref().map_or(0, |namespace| namespace.grants.len());
        1 + grants as u64
    }
}

/// Facts that are no older than a time, a bounded number of them.
pub struct FactCache {
    accounts: Arc<dyn Accounts>,
    life: Duration,
    known: Cache<Key, Known, ByGrants>,
}

impl FactCache {
    /// The facts of `accounts`, none older than `life`; zero asks each time.
    pub fn new(accounts: Arc<dyn Accounts>, life: Duration) -> Self {
        Self { accounts, life, known: Cache::with_weighter(ITEMS, MOST, ByGrants) }
    }

    /// `Accounts::access_facts`, and how old they may be.
    ///
    /// # Errors
    /// The store's.
    pub async fn facts(
        &self,
        principal: &Principal,
        repository: &RepositoryName,
    ) -> Result<(Arc<Facts>, Duration), StoreError> {
        let at = Instant::now();
        let key = (principal.clone(), repository.clone());
        if !self.life.is_zero()
            && let Some(known) = self.known.get(&key)
        {
            let age = at.saturating_duration_since(known.at);
            if age < self.life {
                return Ok((known.facts, age));
            }
        }
        // Their time begins before the database is asked: what changes meanwhile may not be in them.
        let facts = self.accounts.access_facts(principal.clone(), repository.clone()).await?;
        let facts = Arc::new(facts);
        if !self.life.is_zero() {
            self.known.insert(key, Known { facts: Arc::clone(&facts), at });
        }
        Ok((facts, Duration::ZERO))
    }
}

#[async_trait]
impl Decisions for FactCache {
    async fn decide(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Vec<Decided>, StoreError> {
        let (facts, _) = self.facts(&principal, &repository).await?;
        Ok(decision::explain(&principal, &repository, &facts))
    }
}
