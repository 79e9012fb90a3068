//! Forgets what has expired among the accounts, and keeps the audit log: room for what comes, and no more than is wanted
//! of what was.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{Accounts, AuditLog, JobOutcome};

use crate::Handler;
use crate::upkeep::{again, until_nothing};

/// How many of each are forgotten in one go.
const BATCH: usize = 1000;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(3600);

/// The kind.
pub(crate) const KIND: &str = "accounts.upkeep";

/// The job.
pub struct AccountUpkeep {
    accounts: Arc<dyn Accounts>,
    audit: Arc<dyn AuditLog>,
    keep: Duration,
}

impl AccountUpkeep {
    /// Looks every hour, and forgets what the audit log says once it is older than `keep`.
    pub const fn new(
        accounts: Arc<dyn Accounts>,
        audit: Arc<dyn AuditLog>,
        keep: Duration,
    ) -> Self {
        Self { accounts, audit, keep }
    }

    async fn look(&self) -> Result<(), StoreError> {
        self.audit.make_room_for_audit().await?;
        let expired = until_nothing(|| self.accounts.forget_expired(BATCH)).await?;
        let records = until_nothing(|| self.audit.expire_audit(self.keep, BATCH)).await?;
        if expired + records > 0 {
            tracing::info!(expired, records, "forgot what had expired among the accounts");
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for AccountUpkeep {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.look().await, INTERVAL)
    }
}
