//! What caches keep of many repositories, forgotten: after a step that took something away, and where nobody knows from which of them.

use std::time::Duration;

use wharf_oci::RepositoryName;

use crate::StoreError;
use crate::cache::Kind;
use crate::metadata::Garbage;
use crate::registry::Registry;

/// How many repositories are listed at once.
const PAGE: usize = 1000;

/// How often a list is asked for while the database is away, which it is as a rule when the reply to a commit was lost.
const TRIES: u32 = 8;

/// The pause before it is asked for again at first; each is twice as long as the one before: half a minute in all.
const PAUSE: Duration = Duration::from_millis(250);

impl Registry {
    /// No cache answers with what these repositories had.
    pub(super) async fn forget_of(
        &self,
        repositories: &[RepositoryName],
        kind: Kind,
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        // One that fails keeps no other from being told: no step behind this one names them again.
        for repository in repositories {
            outcome = outcome.and(self.parts.cache.invalidate(repository, kind).await);
        }
        outcome
    }

    /// No cache answers with what any repository had. Where that cannot be reached, it is told of, and what caches keep ends when its life does:
    /// the caller has a fault to report anyway.
    pub(super) async fn forget_all(&self, garbage: &dyn Garbage, kind: Kind) {
        let (mut after, mut outcome) = (None, Ok(()));
        loop {
            match listed(garbage, after).await {
                Ok(names) => {
                    let Some(last) = names.last().cloned() else { break };
                    outcome = outcome.and(self.forget_of(&names, kind).await);
                    after = Some(last);
                }
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            }
        }
        if let Err(error) = outcome {
            tracing::warn!(
                %error,
                "it is not known what a collection took away, and caches could not be told: they may answer with it until it is too old for them"
            );
        }
    }
}

/// Repositories behind one; none at the end.
async fn listed(
    garbage: &dyn Garbage,
    after: Option<RepositoryName>,
) -> Result<Vec<RepositoryName>, StoreError> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match garbage.collected_repositories(after.clone(), PAGE).await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(pause).await,
            listed => return listed,
        }
        pause *= 2;
    }
    garbage.collected_repositories(after, PAGE).await
}
