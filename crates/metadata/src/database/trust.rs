//! The trait of trust rules on any engine.

use async_trait::async_trait;
use wharf_core::metadata::{NewWorkloadToken, TrustRule, TrustRules};
use wharf_core::permissions::RobotName;

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::accounts::trust;

#[async_trait]
impl<E: Engine> TrustRules for Database<E> {
    async fn list_rules(&self, robot: RobotName) -> Result<Option<Vec<TrustRule>>> {
        self.engine.read(trust::List(robot)).await
    }

    async fn rules_in_force(&self, robot: RobotName, issuer: String) -> Result<Vec<TrustRule>> {
        self.engine.read(trust::InForce { robot, issuer }).await
    }

    async fn create_workload_token(&self, token: NewWorkloadToken) -> Result<bool> {
        self.engine.write(token).await
    }

    async fn find_workload_token(&self, hash: [u8; 32]) -> Result<Option<RobotName>> {
        self.engine.read(trust::FindToken(hash)).await
    }
}
