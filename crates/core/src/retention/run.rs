//! A run: the tags that a policy drops are dropped, one by one, each as long as it is what was judged.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wharf_oci::RepositoryName;

use super::{Judged, Plan, PlanError, Policy, PullsKnown};
use crate::clock::Timestamp;
use crate::metadata::{DropOutcome, DropTag, Retention, RetentionRun, RetentionState};
use crate::{Error, Registry, StoreError};

/// How many tags are judged before what is dropped of them is: their facts are no older than it takes to drop so many.
const PAGE: usize = 200;

/// Runs the policies of a registry.
pub struct Sweeper {
    /// The registry, whose caches forget what is dropped.
    pub registry: Arc<Registry>,
    /// The policies.
    pub store: Arc<dyn Retention>,
    /// For how long pulls are known.
    pub pulls: PullsKnown,
    /// How long it rests after each tag that it drops.
    pub pause: Duration,
    /// How long one turn takes before it makes room for other work.
    pub turn: Duration,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// There was nothing to do: no policy is enabled there, or nothing may be deleted there now.
    Idle,
    /// All tags were looked at, or the policy was changed meanwhile.
    Done(Turn),
    /// Its time was over before all tags were looked at.
    More(Turn),
    /// The policy cannot be run, and trying again will not help. Nothing was dropped in this turn.
    Refused(String),
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// How many tags it left.
    pub kept: u64,
    /// How many it dropped.
    pub dropped: u64,
}

/// How the work of a turn ended, before it is recorded.
enum Ended {
    Whole(Turn),
    Part(Turn),
    Refused(String),
}

impl Sweeper {
    /// Runs the policy of a repository, as far as a turn goes. What was dropped stays dropped whenever this ends, and the next
    /// turn finds the rest.
    ///
    /// # Errors
    /// When a store fails: the turn is to be tried again.
    pub async fn run(&self, repository: &str) -> Result<RunOutcome, StoreError> {
        let Ok(repository) = repository.parse::<RepositoryName>() else {
            return Ok(RunOutcome::Idle);
        };
        let Some(found) = self.store.find_retention(repository.clone()).await? else {
            return Ok(RunOutcome::Idle);
        };
        if found.state != RetentionState::Enabled {
            return Ok(RunOutcome::Idle);
        }
        if let Some(closed) = found.skipped() {
            tracing::info!(%repository, %closed, "a retention policy is passed over");
            return Ok(RunOutcome::Idle);
        }
        let ended = match Policy::parse(&found.document) {
            Ok(policy) => self.drop_tags(&repository, &policy, found.version).await?,
            // Whoever wrote it meant something that is not known here, an exception perhaps.
            Err(error) => {
                Ended::Refused(format!("the policy cannot be read, and drops nothing: {error}"))
            }
        };
        let (turn, problem) = match &ended {
            Ended::Whole(turn) | Ended::Part(turn) => (*turn, None),
            Ended::Refused(problem) => {
                tracing::error!(%repository, version = found.version, problem, "a retention policy does not run");
                (Turn::default(), Some(problem.clone()))
            }
        };
        let Turn { kept, dropped } = turn;
        let ended_at = Timestamp(0);
        let run = RetentionRun { version: found.version, ended_at, kept, dropped, problem };
        self.store.record_retention_run(repository, run).await?;
        Ok(match ended {
            Ended::Whole(turn) => RunOutcome::Done(turn),
            Ended::Part(turn) => RunOutcome::More(turn),
            Ended::Refused(problem) => RunOutcome::Refused(problem),
        })
    }

    async fn drop_tags(
        &self,
        repository: &RepositoryName,
        policy: &Policy,
        version: i64,
    ) -> Result<Ended, StoreError> {
        let plan = match Plan::begin(&*self.store, repository.clone(), policy, self.pulls).await {
            Ok(Some(plan)) => plan,
            Ok(None) => return Ok(Ended::Whole(Turn::default())),
            Err(PlanError::Store(fault)) => return Err(fault),
            Err(PlanError::TooMany(reason)) => return Ok(Ended::Refused(reason.to_string())),
        };
        let end = Instant::now() + self.turn;
        let (mut turn, mut after) = (Turn::default(), None);
        loop {
            let page = plan.page(after.take(), PAGE).await?;
            let last = page.len() < PAGE;
            for judged in page {
                after = Some(judged.facts.tag.clone());
                let Some(drop) = drop_of(repository, judged, version) else {
                    turn.kept += 1;
                    continue;
                };
                match self.registry.drop_tag(&*self.store, drop).await {
                    Ok(DropOutcome::Dropped) => turn.dropped += 1,
                    Ok(DropOutcome::Left) => turn.kept += 1,
                    Ok(DropOutcome::Halted) => return Ok(Ended::Whole(turn)),
                    Err(Error::Store(fault)) => return Err(fault),
                    Err(refused) => return Ok(Ended::Refused(refused.to_string())),
                }
                sleep(self.pause).await;
            }
            if last {
                return Ok(Ended::Whole(turn));
            }
            if Instant::now() >= end {
                return Ok(Ended::Part(turn));
            }
        }
    }
}

/// What is to be done about a tag, if anything.
fn drop_of(repository: &RepositoryName, judged: Judged, policy: i64) -> Option<DropTag> {
    let Judged { facts, verdict } = judged;
    let rule = verdict.rule().filter(|_| verdict.is_dropped())?.clone();
    let (tag, digest, version) = (facts.tag, facts.digest, facts.version);
    Some(DropTag { repository: repository.clone(), tag, digest, version, policy, rule })
}
