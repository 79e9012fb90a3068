//! Tags that a policy drops: each if it is what was judged, by a policy that is in force, as any other deletion.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    DeleteOutcome, DeleteTag, DropOutcome, DropTag, DroppedBy, Precondition,
};

use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::{pins, repositories, tags};

#[async_trait]
impl Transaction for DropTag {
    type Output = DropOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<DropOutcome> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(DropOutcome::Halted);
        };
        // Locked, so that whoever changes the policy or takes it away knows that nothing goes by it any more.
        let in_force = on
            .query_locked(
                "SELECT 1 FROM retention_policies
                 WHERE repository_id = $1 AND version = $2 AND state = 'enabled'",
                arguments![repository, self.policy],
            )
            .await?;
        if in_force.is_empty() {
            return Ok(DropOutcome::Halted);
        }
        let standing = tags::standing(on, repository, &self.tag).await?;
        if standing.is_none_or(|standing| standing.version != self.version) {
            return Ok(DropOutcome::Left);
        }
        // Somebody may have pinned it since.
        let now = on.now().await?;
        if pins::is_pinned(on, repository, &self.digest, now).await? {
            return Ok(DropOutcome::Left);
        }
        let deletion = DeleteTag {
            repository: self.repository.clone(),
            tag: self.tag.clone(),
            precondition: Precondition::At(vec![self.digest]),
            by: Actor::system(),
            dropped_by: Some(DroppedBy { policy: self.policy, rule: self.rule.clone() }),
        };
        // Whatever forbids the deletion wins.
        match deletion.run(on).await {
            Ok(DeleteOutcome::Deleted) => Ok(DropOutcome::Dropped),
            Ok(_) => Ok(DropOutcome::Left),
            // It is read-only, or about to be.
            Err(StoreError::Closed(_)) => Ok(DropOutcome::Halted),
            Err(fault) => Err(fault),
        }
    }
}
