//! A plan: the judgement over each tag of a repository, a page at a time. What a preview shows and what a run does is the
//! same plan.

use std::collections::{BTreeMap, HashMap};

use wharf_oci::{RepositoryName, Tag};

use super::{Judgement, Policy, PullsKnown, Ranking, RuleName, TagFacts, TooMany, Verdict};
use crate::StoreError;
use crate::clock::Timestamp;
use crate::metadata::Retention;

/// How many tags are ranked in one read.
const RANKED: usize = 5000;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The rules need more room than there is.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The plan of a policy for a repository.
pub struct Plan<'a> {
    store: &'a dyn Retention,
    repository: RepositoryName,
    judgement: Judgement<'a>,
    /// From when on it matters whether something was pulled.
    pulled_since: Timestamp,
}

/// A tag, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What is known of it.
    pub facts: TagFacts,
    /// What follows from that.
    pub verdict: Verdict,
}

impl<'a> Plan<'a> {
    /// Reads what the newest tags are, where the policy asks for them. `None` where the repository is not there.
    ///
    /// # Errors
    /// When a store fails, or the rules need more room than there is.
    pub async fn begin(
        store: &'a dyn Retention,
        repository: RepositoryName,
        policy: &'a Policy,
        pulls: PullsKnown,
    ) -> Result<Option<Self>, PlanError> {
        let Some(basis) = store.retention_basis(repository.clone()).await? else { return Ok(None) };
        let mut ranking = Ranking::new(policy);
        let mut after = None;
        while Ranking::is_needed(policy) {
            let keys = store.retention_keys(repository.clone(), after.take(), RANKED).await?;
            for key in &keys {
                ranking.add(&key.tag, key.pushed_at)?;
            }
            if keys.len() < RANKED {
                break;
            }
            after = keys.into_iter().last().map(|key| key.tag);
        }
        let now = basis.now;
        let judgement = Judgement::new(policy, ranking, now, pulls.since(now, basis.counted_since));
        let pulled_since = match policy.longest_pulled_within() {
            Some(age) => now.before(age.get().saturating_add(PullsKnown::LATENESS)),
            // Nobody asks.
            None => Timestamp(i64::MAX),
        };
        Ok(Some(Self { store, repository, judgement, pulled_since }))
    }

    /// The judgement over the first `limit` tags behind `after`, in byte order.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn page(&self, after: Option<Tag>, limit: usize) -> Result<Vec<Judged>, StoreError> {
        let repository = self.repository.clone();
        let facts = self.store.retention_facts(repository, after, limit, self.pulled_since).await?;
        let judge = |facts: TagFacts| Judged { verdict: self.judgement.of(&facts), facts };
        Ok(facts.into_iter().map(judge).collect())
    }
}

/// What a plan comes to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many tags there are.
    pub tags: u64,
    /// How many of them go.
    pub dropped: u64,
    /// How many tags each rule decided over, by its word for why; without a rule those that none selects.
    pub by_rule: BTreeMap<(Option<RuleName>, &'static str), u64>,
    /// Whether a manifest keeps a tag, by the first bytes of its hash: enough to tell a million of them apart.
    tagged: HashMap<[u8; 8], bool>,
}

impl Summary {
    /// Adds a tag.
    pub fn add(&mut self, judged: &Judged) {
        let Judged { facts, verdict } = judged;
        self.tags += 1;
        self.dropped += u64::from(verdict.is_dropped());
        *self.by_rule.entry((verdict.rule().cloned(), verdict.reason())).or_default() += 1;
        let mut manifest = [0; 8];
        for (byte, of_hash) in manifest.iter_mut().zip(facts.digest.hash()) {
            *byte = *of_hash;
        }
        *self.tagged.entry(manifest).or_default() |= !verdict.is_dropped();
    }

    /// How many manifests lose their last tag.
    pub fn manifests_untagged(&self) -> u64 {
        self.tagged.values().filter(|tagged| !**tagged).count() as u64
    }
}
