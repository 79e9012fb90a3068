//! The one place where tags are written. A change is asked for and then made: only what the policies allow can be made at all.

use std::collections::{BTreeMap, BTreeSet};

use wharf_core::clock::Timestamp;
use wharf_core::immutability::{Frozen, Policies, Stands};
use wharf_core::metadata::Reason;
use wharf_oci::{Digest, RepositoryName, Tag, TagOrder};

use crate::engine::{Dialect, Json, Result, Row, Statements, Value, arguments};
use crate::transactions::events::{self, Event, Of};
use crate::transactions::immutability;
use crate::transactions::usage::{self, Charge, Limits, charge};

/// Where a tag stands.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) digest: Digest,
    pub(crate) version: i64,
    created_at: Timestamp,
}

/// Where a tag stands, in a transaction that writes. The row is locked, which stops what two snapshots would let
/// pass: two commits of the same two tags, each of which finds the one tag at its own manifest and moves the
/// other; and a commit that finds the tag at its manifest already, while that manifest is deleted with its tags.
/// A tag that is made twice is stopped by its key, one that is deleted and made again by that of its history.
pub(crate) async fn standing(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
) -> Result<Option<Standing>> {
    let sql = "SELECT manifest_digest, version, coalesce(created_at, updated_at) FROM tags
               WHERE repository_id = $1 AND name = $2";
    let rows = on.query_locked(sql, arguments![repository, tag.as_str()]).await?;
    rows.first().map(|row| read(row, 0)).transpose()
}

/// The same of several, by their names: of those that are there. In one order, so that two commits of the same tags never wait for each other.
pub(crate) async fn standings(
    on: &mut dyn Statements,
    repository: i64,
    tags: &[Tag],
) -> Result<BTreeMap<String, Standing>> {
    // Nearly every push.
    if let [tag] = tags {
        let stands = standing(on, repository, tag).await?;
        return Ok(stands.map(|stands| (tag.as_str().to_owned(), stands)).into_iter().collect());
    }
    let sql = match on.dialect() {
        Dialect::Sqlite => {
            "SELECT name, manifest_digest, version, coalesce(created_at, updated_at) FROM tags
             WHERE repository_id = $1 AND name IN (SELECT value FROM json_each($2)) ORDER BY name"
        }
        Dialect::Postgres => {
            "SELECT t.* FROM jsonb_array_elements_text($2) e (name), LATERAL
                 (SELECT name, manifest_digest, version, coalesce(created_at, updated_at) FROM tags
                  WHERE repository_id = $1 AND name = e.name OFFSET 0) t"
        }
    };
    let tags: BTreeSet<&str> = tags.iter().map(Tag::as_str).collect();
    let rows = on.query_locked(sql, arguments![repository, list(tags.into_iter())]).await?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), read(row, 1)?))).collect()
}

/// The same of those at a manifest, `limit` of them at most.
pub(crate) async fn standing_at(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<(Tag, Standing)>> {
    let sql = "SELECT name, manifest_digest, version, coalesce(created_at, updated_at) FROM tags
               WHERE repository_id = $1 AND manifest_digest = $2 ORDER BY name LIMIT $3";
    let rows = on.query_locked(sql, arguments![repository, digest, limit]).await?;
    rows.iter().map(|row| Ok((row.parsed(0)?, read(row, 1)?))).collect()
}

/// Three columns from this one on.
fn read(row: &Row, column: usize) -> Result<Standing> {
    let created_at = Timestamp(row.int(column + 2)?);
    Ok(Standing { digest: row.digest(column)?, version: row.int(column + 1)?, created_at })
}

/// Tags as one argument: an array of their names.
fn list<'a>(tags: impl Iterator<Item = &'a str>) -> Json {
    Json(serde_json::Value::from_iter(tags).to_string())
}

/// A change of a tag that may be made. Only a [`Guard`] gives one.
pub(crate) struct Allowed {
    tag: Tag,
    from: Option<Standing>,
    to: Option<Digest>,
}

/// Asks whether tags of a repository may change, by the policies that hold there. They are read once a tag that there is would
/// change: making one is always allowed.
pub(crate) struct Guard<'a> {
    repository: Option<i64>,
    name: &'a RepositoryName,
    now: Timestamp,
    policies: Option<Policies>,
}

impl<'a> Guard<'a> {
    /// Before the tags of a repository, which may not be there yet.
    pub(crate) const fn new(
        repository: Option<i64>,
        name: &'a RepositoryName,
        now: Timestamp,
    ) -> Self {
        Self { repository, name, now, policies: None }
    }

    /// Whether a tag may go to `to`, or nowhere. Nothing is to be done where it stands there.
    pub(crate) async fn allow(
        &mut self,
        on: &mut dyn Statements,
        tag: &Tag,
        from: Option<Standing>,
        to: Option<Digest>,
    ) -> Result<std::result::Result<Option<Allowed>, Box<Frozen>>> {
        let stands = from.as_ref().map(|Standing { digest, created_at, .. }| Stands {
            digest: *digest,
            created_at: *created_at,
        });
        if stands.map(|stands| stands.digest) == to {
            return Ok(Ok(None));
        }
        if stands.is_some() {
            let now = self.now;
            let policies = self.policies(on).await?;
            if let Err(frozen) = policies.decide(tag, stands.as_ref(), to.as_ref(), now) {
                return Ok(Err(frozen));
            }
        }
        Ok(Ok(Some(Allowed { tag: tag.clone(), from, to })))
    }

    /// Whether no policy holds for any tag here.
    pub(crate) async fn is_free(&mut self, on: &mut dyn Statements) -> Result<bool> {
        Ok(self.policies(on).await?.is_empty())
    }

    /// What keeps a tag that there is, whatever is done with it.
    pub(crate) async fn frozen(
        &mut self,
        on: &mut dyn Statements,
        tag: &Tag,
        stands: &Standing,
    ) -> Result<Option<Box<Frozen>>> {
        let now = self.now;
        Ok(self.policies(on).await?.frozen(tag, stands.created_at, now).map(Box::new))
    }

    async fn policies(&mut self, on: &mut dyn Statements) -> Result<&Policies> {
        let policies = match (self.policies.take(), self.repository) {
            (Some(policies), _) => policies,
            (None, Some(repository)) => immutability::in_force(on, repository, self.name).await?,
            (None, None) => Policies::new(self.name.clone(), Vec::new()),
        };
        Ok(self.policies.insert(policies))
    }
}

/// A change of tags: who, in which repository, when, why.
pub(crate) struct Change<'a> {
    pub(crate) repository: i64,
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) reason: Reason,
}

impl Change<'_> {
    /// Makes a change, with its history and event.
    pub(crate) async fn make(&self, on: &mut dyn Statements, allowed: &Allowed) -> Result<()> {
        self.make_all(on, std::iter::once(allowed)).await
    }

    /// Makes changes of different tags, with their histories and events: in as many trips as for one of them.
    pub(crate) async fn make_all<'a>(
        &self,
        on: &mut dyn Statements,
        changes: impl Iterator<Item = &'a Allowed> + Send,
    ) -> Result<()> {
        let made = self.versions(on, changes.collect()).await?;
        on.execute_each(PUT, &rows(&made, |made| self.put(made))).await?;
        if matches!(self.reason, Reason::Restored | Reason::RolledBack(_)) {
            on.execute_each(KEEP_AGE, &rows(&made, |made| self.brought_back(made))).await?;
        }
        on.execute_each(DELETE, &rows(&made, |made| self.delete(made))).await?;
        self.touch(on, &made).await?;
        let count = |is: fn(&Allowed) -> bool| made.iter().filter(|made| is(made.allowed)).count();
        self.count(on, count(|it| it.from.is_none()), count(|it| it.to.is_none())).await?;
        on.execute_each(REMEMBER, &rows(&made, |made| Some(self.remember(made)))).await?;
        let of = Of::Repository(self.repository);
        let events = made.iter().map(|made| (of, made.event(&self.reason)));
        events::record_all(on, events, self.by, self.now).await
    }

    /// Changes with the versions that they give. These go on where a deleted tag is made again.
    async fn versions<'a>(
        &self,
        on: &mut dyn Statements,
        changes: Vec<&'a Allowed>,
    ) -> Result<Vec<Made<'a>>> {
        let new = changes.iter().filter(|allowed| allowed.from.is_none());
        let mut last = BTreeMap::new();
        if let new @ [_, ..] = &*new.map(|allowed| &allowed.tag).collect::<Vec<_>>() {
            let of = arguments![self.repository, list(new.iter().map(|tag| tag.as_str()))];
            for row in on.query(last_versions(on.dialect()), of).await? {
                last.insert(row.text(0)?.to_owned(), row.optional_int(1)?.unwrap_or_default());
            }
        }
        let versioned = |allowed: &'a Allowed| {
            let before = match &allowed.from {
                Some(from) => from.version,
                None => last.get(allowed.tag.as_str()).copied().unwrap_or_default(),
            };
            Made { allowed, version: before + 1 }
        };
        Ok(changes.into_iter().map(versioned).collect())
    }

    fn put(&self, made: &Made<'_>) -> Option<Vec<Value>> {
        let Allowed { tag, to, .. } = made.allowed;
        let to = to.as_ref()?;
        let TagOrder { is_pre_release, key } = TagOrder::of(tag);
        let row = arguments![
            self.repository,
            tag.as_str(),
            to,
            made.version,
            self.by,
            self.now,
            i64::from(is_pre_release),
            key.as_slice(),
        ];
        Some(row.to_vec())
    }

    fn brought_back(&self, made: &Made<'_>) -> Option<Vec<Value>> {
        let Allowed { tag, from, .. } = made.allowed;
        from.is_none().then(|| arguments![self.repository, tag.as_str()].to_vec())
    }

    fn delete(&self, made: &Made<'_>) -> Option<Vec<Value>> {
        let Allowed { tag, to, .. } = made.allowed;
        to.is_none().then(|| arguments![self.repository, tag.as_str()].to_vec())
    }

    /// The repository has so many more tags, and so many fewer.
    async fn count(&self, on: &mut dyn Statements, made: usize, deleted: usize) -> Result<()> {
        let size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        for (tags, limits) in [(size(made), Limits::All), (-size(deleted), Limits::None)] {
            let more = Charge::of(usage::Change { tags, ..usage::Change::default() });
            charge(on, self.repository, more, limits).await?;
        }
        Ok(())
    }

    /// A manifest that a tag leaves is not collected for as long as the tag can be brought back.
    async fn touch(&self, on: &mut dyn Statements, made: &[Made<'_>]) -> Result<()> {
        let left: BTreeSet<_> = made.iter().filter_map(Made::from).collect();
        let left =
            left.into_iter().map(|from| arguments![self.now, self.repository, from].to_vec());
        let sql = "UPDATE repository_manifests SET touched_at = $1 WHERE repository_id = $2 AND digest = $3";
        on.execute_each(sql, &left.collect::<Vec<_>>()).await.map(drop)
    }

    fn remember(&self, made: &Made<'_>) -> Vec<Value> {
        let (from, to) = (made.from(), made.allowed.to.as_ref());
        let action = match (from, to) {
            (None, _) => "create",
            (Some(_), Some(_)) => "move",
            (Some(_), None) => "delete",
        };
        arguments![
            self.repository,
            made.allowed.tag.as_str(),
            made.version,
            action,
            from,
            to,
            self.by,
            self.now,
            self.reason.kind(),
            self.reason.detail(),
        ]
        .to_vec()
    }
}

/// A change with the version that it gives its tag.
struct Made<'a> {
    allowed: &'a Allowed,
    version: i64,
}

impl Made<'_> {
    fn event<'a>(&'a self, reason: &'a Reason) -> Event<'a> {
        Event::TagChanged {
            tag: &self.allowed.tag,
            version: self.version,
            from: self.from(),
            to: self.allowed.to.as_ref(),
            reason,
        }
    }

    fn from(&self) -> Option<&Digest> {
        self.allowed.from.as_ref().map(|from| &from.digest)
    }
}

fn rows(made: &[Made<'_>], row: impl Fn(&Made<'_>) -> Option<Vec<Value>>) -> Vec<Vec<Value>> {
    made.iter().filter_map(row).collect()
}

/// A tag that is moved stays as old as it is.
const PUT: &str = "INSERT INTO tags
         (repository_id, name, manifest_digest, version, updated_by, updated_at, created_at,
          pre_release, version_order)
     VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
     ON CONFLICT (repository_id, name) DO UPDATE SET
         manifest_digest = excluded.manifest_digest, version = excluded.version,
         updated_by = excluded.updated_by, updated_at = excluded.updated_at,
         created_at = coalesce(tags.created_at, tags.updated_at),
         pre_release = excluded.pre_release, version_order = excluded.version_order";

/// A tag that comes back is as old as it was: since the last time that it was made and not brought back. Where that is forgotten, since the first
/// change that is known. Its history ends with its deletion still.
const KEEP_AGE: &str = "UPDATE tags SET created_at = coalesce(
         (SELECT h.changed_at FROM tag_history h
          WHERE h.repository_id = $1 AND h.name = $2 AND h.action = 'create'
            AND (h.reason IS NULL OR h.reason NOT IN ('restored', 'rolled-back'))
          ORDER BY h.version DESC LIMIT 1),
         (SELECT h.changed_at FROM tag_history h
          WHERE h.repository_id = $1 AND h.name = $2 ORDER BY h.version LIMIT 1),
         created_at)
     WHERE repository_id = $1 AND name = $2";

const DELETE: &str = "DELETE FROM tags WHERE repository_id = $1 AND name = $2";

const REMEMBER: &str = "INSERT INTO tag_history
         (repository_id, name, version, action, from_digest, to_digest, changed_by, changed_at,
         reason, detail)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// The last versions of the tags `$2` of the repository `$1`: nothing of one that never was. Each is read from the end of its history.
const fn last_versions(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT n.value, (SELECT max(h.version) FROM tag_history h
                              WHERE h.repository_id = $1 AND h.name = n.value)
             FROM json_each($2) n"
        }
        Dialect::Postgres => {
            "SELECT n.name, (SELECT max(h.version) FROM tag_history h
                             WHERE h.repository_id = $1 AND h.name = n.name)
             FROM jsonb_array_elements_text($2) n (name)"
        }
    }
}
