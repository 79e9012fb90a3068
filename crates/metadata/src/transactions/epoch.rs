//! The epoch of the cache that nodes share: by it they agree to leave that cache alone.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::cache::Epoch;

use crate::engine::{Result, Statements, Transaction, arguments};

/// `Epochs::epoch`
pub(crate) struct Find;

/// `Epochs::advance_epoch`
pub(crate) struct Advance {
    pub(crate) from: i64,
}

#[async_trait]
impl Transaction for Find {
    type Output = Epoch;

    async fn run(&self, on: &mut dyn Statements) -> Result<Epoch> {
        let now = on.now().await?;
        let rows = on.query("SELECT epoch, since FROM cache_epoch", &[]).await?;
        let none = || StoreError::Corrupt("cache_epoch has no row".into());
        let row = rows.first().ok_or_else(none)?;
        let age = u64::try_from(now.0 - row.int(1)?).unwrap_or_default();
        Ok(Epoch { number: row.int(0)?, since: Duration::from_micros(age) })
    }
}

#[async_trait]
impl Transaction for Advance {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        let now = on.now().await?;
        on.execute(
            "UPDATE cache_epoch SET epoch = epoch + 1, since = $1 WHERE epoch = $2",
            arguments![now, self.from],
        )
        .await?;
        Ok(())
    }
}
