//! Room for counts to come, and what is forgotten: old counts, and the ids of old batches.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::CountBatch;

use super::WEEK;
use crate::engine::{Dialect, Result, Statements, Transaction, arguments};
use crate::transactions::expiry::partitions;

/// `Counts::make_room_for_counts`
pub(crate) struct MakeRoom;

#[async_trait]
impl Transaction for MakeRoom {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        let sql = "SELECT make_room_for_counts($1, $2, $3)";
        partitions(on, sql, arguments![WEEK, now, WEEK * 4]).await
    }
}

/// `Counts::expire_counts`
pub(crate) struct Expire {
    pub(crate) age: Duration,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Expire {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let before = on.now().await?.before(self.age);
        match on.dialect() {
            Dialect::Sqlite => {
                on.execute(
                    "DELETE FROM counts WHERE (repository_id, digest, bucket, kind, shard) IN (
                         SELECT repository_id, digest, bucket, kind, shard FROM counts
                         WHERE bucket < $1 LIMIT $2)",
                    arguments![before, self.limit],
                )
                .await
            }
            Dialect::Postgres => {
                let sql = "SELECT drop_oldest_counts($1, $2)";
                partitions(on, sql, arguments![before, self.limit]).await
            }
        }
    }
}

/// `Counts::forget_batches`
pub(crate) struct ForgetBatches {
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ForgetBatches {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let before = on.now().await?.before(CountBatch::REMEMBERED);
        on.execute(
            "DELETE FROM count_batches WHERE id IN (
                 SELECT id FROM count_batches WHERE added_at < $1 ORDER BY added_at LIMIT $2)",
            arguments![before, self.limit],
        )
        .await
    }
}
