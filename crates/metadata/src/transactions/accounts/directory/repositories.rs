//! Repositories that somebody may see, and what is in one.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::Visibility;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    ManifestRecord, Page, RepositoryFilter, RepositoryRecord, TagRecord, Viewer,
};
use wharf_oci::{Digest, MediaType, RepositoryName, Tag};

use super::namespaces::visibility;
use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::accounts::grants::stored;
use crate::transactions::repositories;

/// `Directory::list_visible`
pub(crate) struct ListVisible {
    pub(crate) viewer: Viewer,
    pub(crate) filter: RepositoryFilter,
    pub(crate) page: Page,
}

/// Repositories `r` behind the name `$1` and before `$2`, of the visibility `$3` if any, covered by the pattern `$4` if any,
/// of which `$which` tells those of this branch; `$5` at most. Each branch is walked by an index and ends at its limit, so that
/// what a viewer may not see costs nothing.
macro_rules! branch {
    ($from:expr, $which:expr) => {
        concat!(
            "SELECT * FROM (SELECT DISTINCT r.name, r.visibility, r.settings_version, r.created_at FROM ",
            $from,
            " WHERE r.name > $1 AND r.name < $2 AND ($3 IS NULL OR r.visibility = $3)
                 AND ($4 = '' OR ",
            covers!("$4"),
            ") AND ",
            $which,
            " ORDER BY r.name LIMIT $5) AS seen"
        )
    };
}

/// Whether a pattern covers the name of `r`. Its `*` is any text, and nothing else in it or in a name means anything to LIKE
/// once `_` is escaped.
macro_rules! covers {
    ($pattern:literal) => {
        concat!(r"r.name LIKE replace(replace(", $pattern, r", '_', '\_'), '*', '%') ESCAPE '\'")
    };
}

/// Whether `r` is of the namespace `n`: it, or below it.
macro_rules! is_of {
    ($namespace:literal) => {
        concat!(
            "(r.name = ",
            $namespace,
            " OR (r.name >= ",
            $namespace,
            " || '/' AND r.name < ",
            $namespace,
            " || '0'))"
        )
    };
}

/// Whether `r` is of the namespace `n`, and covered by the grant `g` there.
macro_rules! is_granted {
    () => {
        concat!(is_of!("n.name"), " AND (g.pattern = '' OR ", covers!("g.pattern"), ")")
    };
}

const PUBLIC: &str = branch!("repositories r", "r.visibility = 'public'");

const OF_ALL: &str = branch!("repositories r", "1 = 1");

/// $6 is the user.
const OF_USER: &str = concat!(
    "SELECT * FROM (",
    branch!("repositories r", "r.visibility = 'public'"),
    " UNION ",
    branch!("repositories r", "r.visibility = 'internal'"),
    " UNION ",
    branch!("repositories r", is_of!("$6")),
    " UNION ",
    branch!(
        "users u JOIN grants g ON g.subject_kind = 'user' AND g.subject_id = u.id
         JOIN namespaces n ON n.id = g.namespace_id CROSS JOIN repositories r",
        concat!("u.name = $6 AND ", is_granted!())
    ),
    " UNION ",
    branch!(
        "users u JOIN team_members m ON m.user_id = u.id
         JOIN grants g ON g.subject_kind = 'team' AND g.subject_id = m.team_id
         JOIN namespaces n ON n.id = g.namespace_id CROSS JOIN repositories r",
        concat!("u.name = $6 AND ", is_granted!())
    ),
    " UNION ",
    branch!(
        "users u JOIN user_groups m ON m.user_id = u.id
         JOIN team_groups f ON f.provider = m.provider AND f.group_name = m.group_name
         JOIN grants g ON g.subject_kind = 'team' AND g.subject_id = f.team_id
         JOIN namespaces n ON n.id = g.namespace_id CROSS JOIN repositories r",
        concat!("u.name = $6 AND ", is_granted!())
    ),
    ") AS visible ORDER BY name LIMIT $5"
);

/// $6 is the robot, $7 its namespace.
const OF_ROBOT: &str = concat!(
    "SELECT * FROM (",
    branch!("repositories r", "r.visibility = 'public'"),
    " UNION ",
    branch!(
        "robots b JOIN namespaces n ON n.id = b.namespace_id
         JOIN grants g ON g.subject_kind = 'robot' AND g.subject_id = b.id CROSS JOIN repositories r",
        concat!("b.name = $6 AND n.name = $7 AND ", is_granted!())
    ),
    ") AS visible ORDER BY name LIMIT $5"
);

#[async_trait]
impl Transaction for ListVisible {
    type Output = Vec<RepositoryRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        // All names are before `~`.
        let (first, past) = match &self.filter.namespace {
            Some(namespace) => repositories::below(namespace),
            None => (String::new(), "~".to_owned()),
        };
        let after = self.page.after.clone().filter(|after| *after > first).unwrap_or(first);
        let (kept, limit) = (self.filter.visibility.map(Visibility::name), self.page.limit);
        let pattern = stored(self.filter.pattern.as_ref());
        let rows = match &self.viewer {
            Viewer::All => on.query(OF_ALL, arguments![after, past, kept, pattern, limit]).await?,
            Viewer::Anyone => {
                on.query(PUBLIC, arguments![after, past, kept, pattern, limit]).await?
            }
            Viewer::User(user) => {
                let arguments = arguments![after, past, kept, pattern, limit, user.as_str()];
                on.query(OF_USER, arguments).await?
            }
            Viewer::Robot(robot) => {
                let (name, of) = (robot.name.as_str(), robot.namespace.as_str());
                let arguments = arguments![after, past, kept, pattern, limit, name, of];
                on.query(OF_ROBOT, arguments).await?
            }
        };
        rows.iter().map(found).collect()
    }
}

fn found(row: &Row) -> Result<RepositoryRecord> {
    Ok(RepositoryRecord {
        name: row.parsed(0)?,
        visibility: visibility(row, 1)?,
        version: row.int(2)?,
        created_at: Timestamp(row.int(3)?),
    })
}

/// `Directory::find_repository`
pub(crate) struct Find(pub(crate) RepositoryName);

#[async_trait]
impl Transaction for Find {
    type Output = Option<RepositoryRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT name, visibility, settings_version, created_at FROM repositories
                   WHERE name = $1";
        let rows = on.query(sql, arguments![self.0.as_str()]).await?;
        rows.first().map(found).transpose()
    }
}

/// `Directory::list_tag_records`
pub(crate) struct ListTags {
    pub(crate) repository: RepositoryName,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for ListTags {
    type Output = Option<Vec<TagRecord>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(None);
        };
        let sql = "SELECT name, manifest_digest, version, updated_by, updated_at FROM tags
                   WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3";
        let after = self.page.after.as_deref().unwrap_or_default();
        let rows = on.query(sql, arguments![repository, after, self.page.limit]).await?;
        rows.iter().map(tag).collect::<Result<_>>().map(Some)
    }
}

/// `Directory::find_tag_record`
pub(crate) struct FindTag {
    pub(crate) repository: RepositoryName,
    pub(crate) tag: Tag,
}

#[async_trait]
impl Transaction for FindTag {
    type Output = Option<TagRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT t.name, t.manifest_digest, t.version, t.updated_by, t.updated_at
                   FROM repositories r JOIN tags t ON t.repository_id = r.id
                   WHERE r.name = $1 AND t.name = $2";
        let rows = on.query(sql, arguments![self.repository.as_str(), self.tag.as_str()]).await?;
        rows.first().map(tag).transpose()
    }
}

pub(super) fn tag(row: &Row) -> Result<TagRecord> {
    Ok(TagRecord {
        name: row.parsed(0)?,
        digest: row.digest(1)?,
        version: row.int(2)?,
        updated_by: row.text(3)?.to_owned(),
        updated_at: Timestamp(row.int(4)?),
    })
}

/// `Directory::find_manifest_record`
pub(crate) struct FindManifest {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
}

#[async_trait]
impl Transaction for FindManifest {
    type Output = Option<ManifestRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT h.digest, m.media_type, m.artifact_type, m.size, h.pushed_by, h.pushed_at
                   FROM repositories r JOIN repository_manifests h ON h.repository_id = r.id
                   JOIN manifests m ON m.digest = h.digest WHERE r.name = $1 AND h.digest = $2";
        let rows = on.query(sql, arguments![self.repository.as_str(), self.digest]).await?;
        rows.first().map(manifest).transpose()
    }
}

/// `Directory::list_manifest_records`
pub(crate) struct ListManifests {
    pub(crate) repository: RepositoryName,
    pub(crate) after: Option<Digest>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ListManifests {
    type Output = Option<Vec<ManifestRecord>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(None);
        };
        let sql = "SELECT h.digest, m.media_type, m.artifact_type, m.size, h.pushed_by, h.pushed_at
                   FROM repository_manifests h JOIN manifests m ON m.digest = h.digest
                   WHERE h.repository_id = $1 AND ($2 IS NULL OR h.digest > $2)
                   ORDER BY h.digest LIMIT $3";
        let rows = on.query(sql, arguments![repository, self.after, self.limit]).await?;
        rows.iter().map(manifest).collect::<Result<_>>().map(Some)
    }
}

fn manifest(row: &Row) -> Result<ManifestRecord> {
    let media_type = row.text(1)?;
    let wrong = || StoreError::Corrupt(format!("a manifest has the media type {media_type:?}"));
    Ok(ManifestRecord {
        digest: row.digest(0)?,
        media_type: MediaType::parse(media_type).ok_or_else(wrong)?,
        artifact_type: row.optional_text(2)?,
        size: row.size(3)?,
        pushed_by: row.text(4)?.to_owned(),
        pushed_at: Timestamp(row.int(5)?),
    })
}
