//! Room for counts to come, and what is forgotten: old counts, and the ids of old batches.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::CountBatch;

use super::WEEK;
use crate::engine::{Dialect, Result, Statements, Transaction, arguments};

/// `Counts::make_room_for_counts`
pub(crate) struct MakeRoom;

#[async_trait]
impl Transaction for MakeRoom {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        if on.dialect() == Dialect::Sqlite {
            return Ok(0);
        }
        let now = on.now().await?;
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let rows = on
            .query(
                "SELECT make_room_for_counts($1, $2, $3)",
                arguments![micros(WEEK), now, micros(WEEK * 4)],
            )
            .await?;
        rows.first().map_or(Ok(0), |row| row.size(0))
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
                let rows = on.query(sql, arguments![before, self.limit]).await?;
                rows.first().map_or(Ok(0), |row| row.size(0))
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
