//! What is asked of the counts: a range, a trend, a top list, and when manifests were pulled last.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    CountAt, CountsOf, Span, Step, TopList, TopManifest, TopRepository, Trend, Within,
};
use wharf_oci::{Digest, RepositoryName};

use super::{HOUR, hex, number};
use crate::engine::{Dialect, Json, Reads, Result, Row, Statements, Transaction, arguments};
use crate::transactions::repositories;

/// The digest in the rows of what is asked for: empty in the sums of a repository.
fn digest_of(of: &CountsOf) -> Vec<u8> {
    of.manifest.map(|digest| digest.to_binary()).unwrap_or_default()
}

/// `Counts::count_range`
pub(crate) struct Range {
    pub(crate) of: CountsOf,
    pub(crate) span: Span,
    pub(crate) step: Step,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Range {
    type Output = Vec<CountAt>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let step = match self.step {
            Step::Hour => HOUR,
            Step::Day => 24 * HOUR,
        };
        let rows = on
            .query(
                "SELECT c.bucket - c.bucket % $1, CAST(sum(c.count) AS bigint)
                 FROM repositories r JOIN counts c ON c.repository_id = r.id
                 WHERE r.name = $2 AND c.digest = $3 AND c.kind = $4
                   AND c.bucket >= $5 AND c.bucket < $6
                 GROUP BY 1 ORDER BY 1 LIMIT $7",
                arguments![
                    step,
                    self.of.repository.as_str(),
                    &digest_of(&self.of)[..],
                    number(self.of.kind),
                    self.span.from,
                    self.span.to,
                    self.limit
                ],
            )
            .await?;
        let bucket = |row: &Row| Ok(CountAt { at: Timestamp(row.int(0)?), count: row.size(1)? });
        rows.iter().map(bucket).collect()
    }
}

/// `Counts::count_trend`
pub(crate) struct FindTrend {
    pub(crate) of: CountsOf,
    pub(crate) period: Duration,
}

#[async_trait]
impl Transaction for FindTrend {
    type Output = Trend;

    async fn run(&self, on: &mut dyn Statements) -> Result<Trend> {
        let now = on.now().await?;
        let middle = now.before(self.period);
        let rows = on
            .query(
                "SELECT CAST(coalesce(sum(CASE WHEN c.bucket > $1 THEN c.count ELSE 0 END), 0) AS bigint),
                        CAST(coalesce(sum(c.count), 0) AS bigint)
                 FROM repositories r JOIN counts c ON c.repository_id = r.id
                 WHERE r.name = $2 AND c.digest = $3 AND c.kind = $4 AND c.bucket > $5 AND c.bucket <= $6",
                arguments![
                    middle,
                    self.of.repository.as_str(),
                    &digest_of(&self.of)[..],
                    number(self.of.kind),
                    middle.before(self.period),
                    now
                ],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(Trend::default()) };
        let (current, both) = (row.size(0)?, row.size(1)?);
        Ok(Trend { current, previous: both.saturating_sub(current) })
    }
}

/// A top list of the kind `$1` in the buckets from `$2` to before `$3`; with `$4` 1 only of what is public.
macro_rules! top {
    ($columns:literal, $rows:literal, $within:literal, $limit:literal) => {
        concat!(
            "SELECT CAST(sum(c.count) AS bigint), ",
            $columns,
            " FROM counts c JOIN repositories r ON r.id = c.repository_id
             WHERE c.kind = $1 AND c.bucket >= $2 AND c.bucket < $3 AND octet_length(c.digest)",
            $rows,
            " AND r.name < '~' AND ($4 = 0 OR r.visibility = 'public')",
            $within,
            " GROUP BY ",
            $columns,
            " ORDER BY 1 DESC, ",
            $columns,
            " LIMIT ",
            $limit
        )
    };
    ($columns:literal, $rows:literal) => {
        (
            top!($columns, $rows, "", "$5"),
            top!($columns, $rows, " AND (r.name = $5 OR (r.name >= $6 AND r.name < $7))", "$8"),
        )
    };
}

/// The list of all repositories by the first text; of the one named `$5` and of those from `$6` to before `$7`
/// by the second.
async fn top(
    on: &mut dyn Statements,
    list: &TopList,
    (everywhere, within): (&'static str, &'static str),
) -> Result<Vec<Row>> {
    let TopList { span, limit, .. } = list;
    let (kind, public_only) = (number(list.kind), i64::from(list.public_only));
    let (name, from, to) = match &list.within {
        Within::Everywhere => {
            let arguments = arguments![kind, span.from, span.to, public_only, *limit];
            return on.query(everywhere, arguments).await;
        }
        Within::Namespace(name) => {
            let (from, to) = repositories::below(name);
            (name.to_string(), from, to)
        }
        Within::Repository(name) => (name.to_string(), String::new(), String::new()),
    };
    let arguments = arguments![kind, span.from, span.to, public_only, name, from, to, *limit];
    on.query(within, arguments).await
}

/// `Counts::top_repositories`
pub(crate) struct TopRepositories(pub(crate) TopList);

#[async_trait]
impl Transaction for TopRepositories {
    type Output = Vec<TopRepository>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = top(on, &self.0, top!("r.name", " = 0")).await?;
        let place =
            |row: &Row| Ok(TopRepository { count: row.size(0)?, repository: row.parsed(1)? });
        rows.iter().map(place).collect()
    }
}

/// `Counts::top_manifests`
pub(crate) struct TopManifests(pub(crate) TopList);

#[async_trait]
impl Transaction for TopManifests {
    type Output = Vec<TopManifest>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = top(on, &self.0, top!("r.name, c.digest", " > 0")).await?;
        let place = |row: &Row| {
            let (count, repository) = (row.size(0)?, row.parsed(1)?);
            Ok(TopManifest { count, repository, digest: row.digest(2)? })
        };
        rows.iter().map(place).collect()
    }
}

/// `Counts::last_pulled`
pub(crate) struct LastPulled {
    pub(crate) repository: RepositoryName,
    pub(crate) digests: Vec<Digest>,
}

/// When each of the digests `$2`, an array in hexadecimal, was pulled last from the repository named `$1`.
const fn last_pulls(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT c.digest, max(c.bucket) FROM repositories r JOIN counts c ON c.repository_id = r.id
             WHERE r.name = $1 AND c.digest IN (SELECT unhex(value) FROM json_each($2)) AND c.kind <> 1
             GROUP BY c.digest ORDER BY c.digest"
        }
        Dialect::Postgres => {
            "SELECT c.digest, max(c.bucket) FROM repositories r JOIN counts c ON c.repository_id = r.id
             WHERE r.name = $1 AND c.kind <> 1 AND c.digest IN (
                 SELECT decode(value, 'hex') FROM jsonb_array_elements_text($2) x (value))
             GROUP BY c.digest ORDER BY c.digest"
        }
    }
}

// On the primary: retention decides by it.
#[async_trait]
impl Transaction for LastPulled {
    type Output = Vec<(Digest, Timestamp)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let digests: Vec<_> = self.digests.iter().map(|digest| hex(&digest.to_binary())).collect();
        let digests = Json(serde_json::json!(digests).to_string());
        let sql = last_pulls(on.dialect());
        let rows = on.query(sql, arguments![self.repository.as_str(), digests]).await?;
        rows.iter().map(|row| Ok((row.digest(0)?, Timestamp(row.int(1)?)))).collect()
    }
}
