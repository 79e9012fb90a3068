//! A workload's login: from its token and the robot that it names to what it may refresh by.

use std::sync::Arc;
use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::authority::Secret;
use wharf_core::clock::Random;
use wharf_core::metadata::{NewWorkloadToken, TrustRules};
use wharf_core::permissions::RobotName;

use super::rules::trusts;
use super::verification::Workloads;
use crate::secret::{MachineSecret, SecretKind};

/// Logs workloads in.
pub struct WorkloadLogins {
    /// Verifies their tokens.
    pub workloads: Workloads,
    /// Whom they stand for.
    pub rules: Arc<dyn TrustRules>,
    /// How long what they refresh by works.
    pub token_life: Duration,
}

/// A workload that is trusted.
pub struct Trusted {
    /// By which rule.
    rule: i64,
    /// Who it is at its issuer.
    subject: String,
    /// Until when its token is good, in seconds since 1970-01-01 UTC.
    pub expires_at: u64,
}

impl WorkloadLogins {
    /// Whether a token stands for a robot, by one of its rules. Why it does not, the log says and nobody else.
    ///
    /// # Errors
    /// A store's.
    pub async fn log_in(
        &self,
        robot: &RobotName,
        token: &Secret,
    ) -> Result<Option<Trusted>, StoreError> {
        let workload = match self.workloads.verify(token.expose()).await {
            Ok(workload) => workload,
            Err(error) => {
                tracing::info!(%robot, %error, "a workload's token was refused");
                return Ok(None);
            }
        };
        let rules = self.rules.rules_in_force(robot.clone(), workload.issuer.clone()).await?;
        let Some(rule) = rules.iter().find(|rule| trusts(rule, &workload)) else {
            let (issuer, subject) = (&workload.issuer, &workload.subject);
            tracing::info!(%robot, issuer, subject, "no trust rule of the robot covers a workload");
            return Ok(None);
        };
        let (subject, expires_at) = (workload.subject, workload.expires_at);
        tracing::info!(%robot, rule = rule.id, subject, "a workload logged in");
        Ok(Some(Trusted { rule: rule.id, subject, expires_at }))
    }

    /// What gets a workload new access tokens; none where its rule is gone.
    ///
    /// # Errors
    /// A store's.
    pub async fn refresh_token(
        &self,
        trusted: &Trusted,
        random: &dyn Random,
    ) -> Result<Option<Secret>, StoreError> {
        let secret = MachineSecret::new(SecretKind::RefreshToken, random);
        let token = NewWorkloadToken {
            rule: trusted.rule,
            subject: trusted.subject.clone(),
            secret_hash: secret.hash(),
            life: self.token_life,
        };
        let made = self.rules.create_workload_token(token).await?;
        Ok(made.then(|| Secret::new(secret.expose().to_owned())))
    }

    /// Whose token that is.
    ///
    /// # Errors
    /// A store's.
    pub async fn refreshed(&self, secret: &MachineSecret) -> Result<Option<RobotName>, StoreError> {
        self.rules.find_workload_token(secret.hash()).await
    }
}
