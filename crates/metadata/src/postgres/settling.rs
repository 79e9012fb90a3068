//! Waiting until transactions have ended that began before something was committed: what makes a change of a mode
//! exact, though each transaction works on a snapshot.
//!
//! Each transaction that writes takes a weak lock of the table `site_writes` before its snapshot, and holds it to its
//! end. It stops nobody, lies in the session's own slots and costs no trip. One that is not seen holding it when the
//! wait begins takes its snapshot later, and sees the change.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use wharf_core::StoreError;

use super::Postgres;
use crate::engine::{Engine, Result, Statements, Transaction};

/// What each transaction that writes begins with.
pub(super) const HELD: &str = "LOCK TABLE site_writes IN ROW SHARE MODE";

/// How often those are looked for that are waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// The transactions that hold the lock now. Others' locks of this kind are all of transactions that write.
const HOLDERS: &str = "
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'RowShareLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND relation = to_regclass('site_writes')";

/// Who writes now.
struct Writers;

#[async_trait]
impl Transaction for Writers {
    type Output = BTreeSet<String>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on.query(HOLDERS, &[]).await?;
        rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
    }
}

/// Waits until those that write now have ended. That takes no longer than a transaction may.
pub(super) async fn settle(on: &Postgres) -> Result<()> {
    let limits = &on.settings;
    let limit = limits.transaction_timeout + limits.statement_timeout;
    let end = Instant::now() + limit;
    let mut waited_for = on.read(Writers).await?;
    while !waited_for.is_empty() {
        if Instant::now() > end {
            let left = waited_for.len();
            return Err(StoreError::Uncertain(format!(
                "{left} transactions that began before have not ended in {limit:?}"
            )));
        }
        sleep(PAUSE).await;
        let now = on.read(Writers).await?;
        waited_for.retain(|writer| now.contains(writer));
    }
    Ok(())
}
