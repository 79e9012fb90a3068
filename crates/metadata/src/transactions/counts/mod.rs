//! Counts of pulls and pushes: batches added, each once. What is asked and what is forgotten is beside.

pub(crate) mod asked;
pub(crate) mod expiry;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::{CountBatch, CountKind};

use crate::engine::{Dialect, Json, Result, Sees, Statements, Transaction, arguments};

/// How long a bucket is, in microseconds.
const HOUR: i64 = 3_600_000_000;

/// A week: what a partition holds.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The number by which a kind is stored.
const fn number(kind: CountKind) -> i64 {
    match kind {
        CountKind::Pull => 0,
        CountKind::Push => 1,
        CountKind::IndexPull => 2,
    }
}

/// `Counts::add_counts`
pub(crate) struct Add(pub(crate) CountBatch);

/// Adds the counts `$3`, an array of `[repository, digest in hexadecimal, kind, count]`, to the bucket `$1` in the
/// shard `$2`. In one order, so that two of these never wait for each other in a circle.
const fn add(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "INSERT INTO counts (bucket, shard, repository_id, digest, kind, count)
             SELECT $1, $2, r.id, unhex(x.value ->> 1), x.value ->> 2, sum(x.value ->> 3)
             FROM json_each($3) x JOIN repositories r ON r.name = x.value ->> 0
             GROUP BY r.id, x.value ->> 1, x.value ->> 2
             ORDER BY r.id, x.value ->> 1, x.value ->> 2
             ON CONFLICT (repository_id, digest, bucket, kind, shard)
                 DO UPDATE SET count = counts.count + excluded.count"
        }
        Dialect::Postgres => {
            "INSERT INTO counts (bucket, shard, repository_id, digest, kind, count)
             SELECT $1, $2, r.id, decode(x.value ->> 1, 'hex'), (x.value ->> 2)::smallint,
                    sum((x.value ->> 3)::bigint)
             FROM jsonb_array_elements($3) x (value) JOIN repositories r ON r.name = x.value ->> 0
             GROUP BY r.id, x.value ->> 1, x.value ->> 2
             ORDER BY r.id, x.value ->> 1, x.value ->> 2
             ON CONFLICT (repository_id, digest, bucket, kind, shard)
                 DO UPDATE SET count = counts.count + excluded.count"
        }
    }
}

#[async_trait]
impl Transaction for Add {
    type Output = bool;

    // Rows are only added to, whatever they hold. The id comes first: where the same batch is asked for twice at once,
    // the second waits there for the first.
    const SEES: Sees = Sees::EachCommit;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let Self(batch) = self;
        let now = on.now().await?;
        let new = on
            .execute(
                "INSERT INTO count_batches (id, added_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                arguments![&batch.id[..], now],
            )
            .await?;
        if new == 0 {
            return Ok(false);
        }
        let counted = now.before(batch.age).0;
        let bucket = counted - counted.rem_euclid(HOUR);
        let sql = add(on.dialect());
        on.execute(sql, arguments![bucket, i64::from(batch.shard), rows(batch)]).await?;
        Ok(true)
    }
}

/// The counts of a batch and, with an empty digest, the sums of its repositories.
fn rows(batch: &CountBatch) -> Json {
    let mut sums: BTreeMap<(&str, CountKind), u64> = BTreeMap::new();
    let mut rows = Vec::with_capacity(batch.tallies.len() * 2);
    for tally in batch.tallies.iter().filter(|tally| tally.count > 0) {
        let repository = tally.repository.as_str();
        *sums.entry((repository, tally.kind)).or_default() += tally.count;
        rows.push((repository, hex(&tally.digest.to_binary()), number(tally.kind), tally.count));
    }
    rows.extend(
        sums.into_iter()
            .map(|((repository, kind), count)| (repository, String::new(), number(kind), count)),
    );
    Json(serde_json::json!(rows).to_string())
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
