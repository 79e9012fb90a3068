//! The facts that tags are ranked and judged by. All of it on the primary: retention decides by it.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::{Frozen, Policies};
use wharf_core::metadata::{RetentionBasis, TagKey};
use wharf_core::retention::{Companion, Protection, SIGNATURE_TYPES, TagFacts};
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::engine::{Dialect, Json, Result, Row, Statements, Transaction, arguments};
use crate::transactions::counts::hex;
use crate::transactions::{immutability, repositories};

/// How long a bucket of counts is.
const BUCKET: Duration = Duration::from_secs(3600);

/// `Retention::retention_basis`
pub(crate) struct Basis(pub(crate) RepositoryName);

#[async_trait]
impl Transaction for Basis {
    type Output = Option<RetentionBasis>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        if repositories::find(on, &self.0).await?.is_none() {
            return Ok(None);
        }
        let now = on.now().await?;
        let mut oldest = None;
        for kind in 0..3_i64 {
            let sql = "SELECT bucket FROM counts WHERE octet_length(digest) = 0 AND kind = $1
                       ORDER BY bucket LIMIT 1";
            let found = on.query(sql, arguments![kind]).await?;
            let found = found.first().map(|row| row.int(0)).transpose()?;
            oldest = [oldest, found].into_iter().flatten().min();
        }
        // Counting may have begun anywhere in that hour.
        let counted_since = oldest.map(|bucket| Timestamp(bucket).after(BUCKET));
        Ok(Some(RetentionBasis { now, counted_since }))
    }
}

/// `Retention::retention_keys`
pub(crate) struct Keys {
    pub(crate) repository: RepositoryName,
    pub(crate) after: Option<Tag>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Keys {
    type Output = Vec<TagKey>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                "SELECT t.name, t.updated_at FROM repositories r JOIN tags t ON t.repository_id = r.id
                 WHERE r.name = $1 AND t.name > $2 ORDER BY t.name LIMIT $3",
                arguments![self.repository.as_str(), behind(self.after.as_ref()), self.limit],
            )
            .await?;
        let key = |row: &Row| Ok(TagKey { tag: row.parsed(0)?, pushed_at: Timestamp(row.int(1)?) });
        rows.iter().map(key).collect()
    }
}

/// What all tags come behind of where no page was before.
fn behind(after: Option<&Tag>) -> &str {
    after.map(Tag::as_str).unwrap_or_default()
}

/// `Retention::retention_facts`
pub(crate) struct Facts {
    pub(crate) repository: RepositoryName,
    pub(crate) after: Option<Tag>,
    pub(crate) limit: usize,
    pub(crate) pulled_since: Timestamp,
}

/// The facts of the tags of the repository `$6` behind `$7`, where `$1` to `$3` are the types of signatures, `$4` is now,
/// and pulls count in buckets from `$5` on. A signature is a referrer, or a tag that is named after the manifest.
///
/// Each fact is a subquery that a planner leaves where it is, and looks up row by row: as `EXISTS`, PostgreSQL may read all
/// manifests of the registry into a hash instead.
macro_rules! facts {
    ($signature_tag:literal) => {
        concat!(
            "SELECT t.name, t.manifest_digest, t.version, t.updated_at,
                 coalesce(
                     (SELECT 1 FROM manifests m
                      WHERE m.subject = t.manifest_digest AND m.artifact_type IN ($1, $2, $3)
                        AND (SELECT true FROM repository_manifests h
                             WHERE h.repository_id = t.repository_id AND h.digest = m.digest) LIMIT 1),
                     (SELECT 1 FROM tags s WHERE s.repository_id = t.repository_id AND s.name = ",
            $signature_tag,
            "), 0),
                 coalesce(
                     (SELECT 1 FROM manifest_references c
                      WHERE c.child = t.manifest_digest
                        AND (SELECT true FROM repository_manifests h
                             WHERE h.repository_id = t.repository_id AND h.digest = c.parent) LIMIT 1), 0),
                 coalesce(
                     (SELECT 1 FROM running_manifests w
                      WHERE w.repository_id = t.repository_id AND w.digest = t.manifest_digest
                        AND w.ends_at > $4 LIMIT 1),
                     (SELECT 1 FROM manifest_references c
                      WHERE c.parent = t.manifest_digest
                        AND (SELECT true FROM running_manifests w
                             WHERE w.repository_id = t.repository_id AND w.digest = c.child
                               AND w.ends_at > $4 LIMIT 1) LIMIT 1), 0),
                 (SELECT max(c.bucket) FROM counts c
                  WHERE c.repository_id = t.repository_id AND c.digest = t.manifest_digest
                    AND c.kind <> 1 AND c.bucket >= $5),
                 coalesce(t.created_at, t.updated_at),
                 (SELECT min(p.name) FROM pins p
                  WHERE p.repository_id = t.repository_id AND p.digest = t.manifest_digest
                    AND (p.expires_at IS NULL OR p.expires_at > $4))
             FROM (SELECT repository_id, name, manifest_digest, version, updated_at, created_at FROM tags
                   WHERE repository_id = $6 AND name > $7 ORDER BY name LIMIT $8) t
             ORDER BY t.name"
        )
    };
}

const fn facts_of_tags(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            facts!("'sha256-' || lower(hex(substr(t.manifest_digest, 2))) || '.sig'")
        }
        Dialect::Postgres => {
            facts!("'sha256-' || encode(substring(t.manifest_digest FROM 2), 'hex') || '.sig'")
        }
    }
}

/// Which of the digests `$2`, an array in hexadecimal, the repository `$1` holds, or can have back from the trash.
const fn held_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT m.digest FROM
                 (SELECT repository_id, digest FROM repository_manifests
                  UNION ALL SELECT repository_id, digest FROM deleted_manifests) m
             WHERE m.repository_id = $1
               AND m.digest IN (SELECT unhex(value) FROM json_each($2))"
        }
        Dialect::Postgres => {
            "SELECT m.digest FROM
                 (SELECT repository_id, digest FROM repository_manifests
                  UNION ALL SELECT repository_id, digest FROM deleted_manifests) m
             WHERE m.repository_id = $1
               AND m.digest IN (SELECT decode(value, 'hex') FROM jsonb_array_elements_text($2) x (value))"
        }
    }
}

#[async_trait]
impl Transaction for Facts {
    type Output = Vec<TagFacts>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some((repository, policies)) = immutability::known(on, &self.repository).await? else {
            return Ok(Vec::new());
        };
        let [one, two, three] = SIGNATURE_TYPES;
        let now = on.now().await?;
        let after = behind(self.after.as_ref());
        let sql = facts_of_tags(on.dialect());
        let arguments =
            arguments![one, two, three, now, self.pulled_since, repository, after, self.limit];
        let rows = on.query(sql, arguments).await?;
        let judged = |row: &Row| facts(row, &policies, now);
        let mut found: Vec<TagFacts> = rows.iter().map(judged).collect::<Result<_>>()?;
        protect_companions(on, repository, &mut found).await?;
        Ok(found)
    }
}

fn facts(row: &Row, policies: &Policies, now: Timestamp) -> Result<TagFacts> {
    let tag = row.parsed(0)?;
    // As a deletion asks: see `Policies::decide`.
    let frozen = policies.frozen(&tag, Timestamp(row.int(8)?), now);
    let frozen =
        frozen.map(|Frozen { of, policy, .. }| Protection::Frozen { of, policy: policy.name });
    let protection = match (frozen, row.optional_text(9)?) {
        (None, Some(_)) => Some(Protection::Pinned(row.parsed(9)?)),
        (frozen, _) => frozen,
    };
    Ok(TagFacts {
        tag,
        digest: row.digest(1)?,
        version: row.int(2)?,
        pushed_at: Timestamp(row.int(3)?),
        signed: row.int(4)? != 0,
        referenced: row.int(5)? != 0,
        running: row.int(6)? != 0,
        pulled_at: row.optional_int(7)?.map(Timestamp),
        protection,
    })
}

/// Marks the tags that are named after a manifest which the repository holds, or can have back, unless something else keeps them.
async fn protect_companions(
    on: &mut dyn Statements,
    repository: i64,
    found: &mut [TagFacts],
) -> Result<()> {
    let named = found.iter().filter_map(|facts| Companion::parse(&facts.tag));
    let named: BTreeSet<Digest> = named.map(|Companion(digest)| digest).collect();
    if named.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = named.iter().map(|digest| hex(&digest.to_binary())).collect();
    let sql = held_of(on.dialect());
    let named = Json(serde_json::json!(named).to_string());
    let rows = on.query(sql, arguments![repository, named]).await?;
    let held: BTreeSet<Digest> = rows.iter().map(|row| row.digest(0)).collect::<Result<_>>()?;
    for facts in found {
        let of = Companion::parse(&facts.tag).filter(|Companion(digest)| held.contains(digest));
        let companion = of.map(|Companion(digest)| Protection::Companion(digest));
        facts.protection = facts.protection.take().or(companion);
    }
    Ok(())
}
