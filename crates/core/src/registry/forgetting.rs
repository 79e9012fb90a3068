//! What caches keep of many repositories, forgotten: after a step that took something away, and where nobody knows from which of them.

use std::time::Duration;

use wharf_oci::RepositoryName;

use crate::StoreError;
use crate::cache::Kind;
use crate::metadata::Garbage;
use crate::registry::Registry;

/// How many repositories are listed at once.
const PAGE: usize = 1000;

/// How often the database is asked while it is away, which it is as a rule when the reply to a commit was lost.
const TRIES: u32 = 8;

/// The pause before it is asked again at first; each is twice as long as the one before: half a minute in all.
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

    /// No cache answers with what any repository had, be it that a commit which was not heard of shows only now: a cache that was told before that would be
    /// filled again with what there was. Where that cannot be reached, it is told of, and what caches keep ends when its life does: the caller has
    /// a fault to report anyway.
    pub(super) async fn forget_all(&self, garbage: &dyn Garbage, kind: Kind) {
        let mut outcome = patiently(|| garbage.settle()).await;
        let mut after = None;
        loop {
            match patiently(|| garbage.collected_repositories(after.clone(), PAGE)).await {
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

/// What the database answers, once it does.
async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match ask().await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    ask().await
}
