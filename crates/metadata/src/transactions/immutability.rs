//! Immutability policies: read where a tag is about to change, and for those who manage them.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::{
    Frozen, MutableFor, Policies, Policy, PolicyName, PolicyRecord, PolicyScope,
};
use wharf_core::metadata::{Page, TagImmutability};
use wharf_oci::{RepositoryName, Tag, TagSelection};

use crate::engine::{Result, Row, Statements, Transaction, Value, arguments};
use crate::transactions::repositories;

/// The policies that hold in a repository, in a transaction that moves or deletes its tags. The rows of the repository and of its
/// namespace are locked for sharing, which many pushes may do at once and no change of a policy while they do: that changes
/// one of the two. So of a policy and a tag that change at once, the later one begins again, and sees the other.
pub(crate) async fn in_force(
    on: &mut dyn Statements,
    repository: i64,
    name: &RepositoryName,
) -> Result<Policies> {
    let sql = "SELECT r.immutability_policies, n.id, n.immutability_policies
               FROM repositories r, namespaces n WHERE r.id = $1 AND n.name = $2";
    let both = on.query_shared(sql, arguments![repository, name.namespace()]).await?;
    if let Some(row) = both.first() {
        let counted = row.size(0)? + row.size(2)?;
        return read(on, repository, name, Some(row.int(1)?), counted).await;
    }
    // Nobody's namespace. Who makes it changes the repositories that are there: see `new_namespace`.
    let sql = "SELECT immutability_policies FROM repositories WHERE id = $1";
    let own = on.query_shared(sql, arguments![repository]).await?;
    let gone = || StoreError::Corrupt(format!("the repository {name} is gone"));
    let counted = own.first().ok_or_else(gone)?.size(0)?;
    read(on, repository, name, None, counted).await
}

/// The policies that hold in a repository, with its number, for who only looks: nothing is locked.
pub(crate) async fn known(
    on: &mut dyn Statements,
    name: &RepositoryName,
) -> Result<Option<(i64, Policies)>> {
    let sql = "SELECT r.id, r.immutability_policies, n.id, coalesce(n.immutability_policies, 0)
               FROM repositories r LEFT JOIN namespaces n ON n.name = $1 WHERE r.name = $2";
    let rows = on.query(sql, arguments![name.namespace(), name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (repository, namespace) = (row.int(0)?, row.optional_int(2)?);
    let counted = row.size(1)? + row.size(3)?;
    Ok(Some((repository, read(on, repository, name, namespace, counted).await?)))
}

/// Reads policies that were counted. One that cannot be read, or is not there, is a fault and never taken for none.
async fn read(
    on: &mut dyn Statements,
    repository: i64,
    name: &RepositoryName,
    namespace: Option<i64>,
    counted: u64,
) -> Result<Policies> {
    if counted == 0 {
        return Ok(Policies::new(name.clone(), Vec::new()));
    }
    let rows = on
        .query(
            "SELECT p.name, p.patterns, p.exceptions, p.mutable_for, p.created_by, p.created_at,
                    p.changed_at, p.version, n.name
             FROM immutability_policies p LEFT JOIN namespaces n ON n.id = p.namespace_id
             WHERE p.repository_id = $1 OR p.namespace_id = $2
             ORDER BY p.namespace_id IS NULL, p.name",
            arguments![repository, namespace],
        )
        .await?;
    if rows.len() as u64 != counted {
        let found = rows.len();
        return Err(StoreError::Corrupt(format!(
            "{name} has {counted} immutability policies by their count, and {found} are there"
        )));
    }
    let record_of = |row: &Row| {
        let of = match row.optional_text(8)? {
            Some(_) => PolicyScope::Namespace(row.parsed(8)?),
            None => PolicyScope::Repository(name.clone()),
        };
        record(row, of)
    };
    Ok(Policies::new(name.clone(), rows.iter().map(record_of).collect::<Result<_>>()?))
}

fn record(row: &Row, of: PolicyScope) -> Result<PolicyRecord> {
    let words =
        |column| -> Result<Vec<&str>> { Ok(row.text(column)?.split_whitespace().collect()) };
    let name = row.text(0)?;
    let wrong = |reason: &dyn std::fmt::Display| {
        StoreError::Corrupt(format!("the immutability policy {name:?} of {of}: {reason}"))
    };
    let tags = TagSelection::new(&words(1)?, &words(2)?).map_err(|error| wrong(&error))?;
    let mutable_for = MutableFor::from_seconds(row.size(3)?).map_err(|error| wrong(&error))?;
    let name: PolicyName = name.parse().map_err(|error| wrong(&error))?;
    Ok(PolicyRecord {
        policy: Policy { name, tags, mutable_for },
        created_by: row.text(4)?.to_owned(),
        created_at: Timestamp(row.int(5)?),
        changed_at: Timestamp(row.int(6)?),
        version: row.int(7)?,
        of,
    })
}

/// What freezes a tag of a repository, if anything does.
pub(crate) async fn any_frozen(
    on: &mut dyn Statements,
    repository: i64,
    name: &RepositoryName,
) -> Result<Option<Frozen>> {
    const PAGE: usize = 1000;
    let policies = in_force(on, repository, name).await?;
    if policies.is_empty() {
        return Ok(None);
    }
    let now = on.now().await?;
    let mut after = String::new();
    loop {
        let rows = tags_behind(on, repository, &after, PAGE).await?;
        for row in &rows {
            let (tag, created_at): (Tag, _) = (row.parsed(0)?, Timestamp(row.int(1)?));
            if let Some(frozen) = policies.frozen(&tag, created_at, now) {
                return Ok(Some(frozen));
            }
        }
        match rows.last() {
            Some(row) if rows.len() == PAGE => after = row.text(0)?.to_owned(),
            _ => return Ok(None),
        }
    }
}

/// Tags, each with since when it has been there.
async fn tags_behind(
    on: &mut dyn Statements,
    repository: i64,
    after: &str,
    limit: usize,
) -> Result<Vec<Row>> {
    let sql = "SELECT name, coalesce(created_at, updated_at) FROM tags
               WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3";
    on.query(sql, arguments![repository, after, limit]).await
}

/// The row in which policies are counted.
async fn scope(on: &mut dyn Statements, of: &PolicyScope) -> Result<Option<i64>> {
    match of {
        PolicyScope::Namespace(name) => {
            let sql = "SELECT id FROM namespaces WHERE name = $1";
            let rows = on.query(sql, arguments![name.as_str()]).await?;
            rows.first().map(|row| row.int(0)).transpose()
        }
        PolicyScope::Repository(name) => repositories::find(on, name).await,
    }
}

/// The arguments by which policies are found: of a repository, or of a namespace.
pub(crate) fn scoped(of: &PolicyScope, id: i64) -> [Value; 2] {
    let (repository, namespace) = match of {
        PolicyScope::Namespace(_) => (None, Some(id)),
        PolicyScope::Repository(_) => (Some(id), None),
    };
    [Value::from(repository), Value::from(namespace)]
}

/// `ImmutabilityPolicies::list_policies`
pub(crate) struct List(pub(crate) PolicyScope);

#[async_trait]
impl Transaction for List {
    type Output = Option<Vec<PolicyRecord>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(id) = scope(on, &self.0).await? else { return Ok(None) };
        let sql =
            "SELECT name, patterns, exceptions, mutable_for, created_by, created_at, changed_at,
                       version
                   FROM immutability_policies WHERE repository_id = $1 OR namespace_id = $2
                   ORDER BY name";
        let rows = on.query(sql, &scoped(&self.0, id)).await?;
        rows.iter().map(|row| record(row, self.0.clone())).collect::<Result<_>>().map(Some)
    }
}

/// `ImmutabilityPolicies::find_policy`
pub(crate) struct Find {
    pub(crate) of: PolicyScope,
    pub(crate) name: PolicyName,
}

#[async_trait]
impl Transaction for Find {
    type Output = Option<PolicyRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(id) = scope(on, &self.of).await? else { return Ok(None) };
        let sql =
            "SELECT name, patterns, exceptions, mutable_for, created_by, created_at, changed_at,
                       version
                   FROM immutability_policies
                   WHERE (repository_id = $1 OR namespace_id = $2) AND name = $3";
        let [repository, namespace] = scoped(&self.of, id);
        let rows = on.query(sql, &[repository, namespace, self.name.as_str().into()]).await?;
        rows.first().map(|row| record(row, self.of.clone())).transpose()
    }
}

/// `ImmutabilityPolicies::tag_immutability` and `list_tag_immutability`
pub(crate) struct Look {
    pub(crate) repository: RepositoryName,
    pub(crate) at: LookAt,
}

/// Which tags are looked at.
pub(crate) enum LookAt {
    One(Tag),
    All(Page),
}

#[async_trait]
impl Transaction for Look {
    type Output = Option<Vec<TagImmutability>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some((repository, policies)) = known(on, &self.repository).await? else {
            return Ok(None);
        };
        let tags = match &self.at {
            LookAt::One(tag) => {
                let sql = "SELECT name, coalesce(created_at, updated_at) FROM tags
                           WHERE repository_id = $1 AND name = $2";
                on.query(sql, arguments![repository, tag.as_str()]).await?
            }
            LookAt::All(page) => {
                let after = page.after.as_deref().unwrap_or_default();
                tags_behind(on, repository, after, page.limit).await?
            }
        };
        let now = on.now().await?;
        let said = |row: &Row| {
            let (tag, created_at): (Tag, _) = (row.parsed(0)?, Timestamp(row.int(1)?));
            let covering = policies.covering(&tag, created_at);
            let covered_by = covering.map(|(record, from)| (record.clone(), from)).collect();
            let frozen = policies.frozen(&tag, created_at, now);
            Ok(TagImmutability { tag, created_at, covered_by, frozen })
        };
        tags.iter().map(said).collect::<Result<_>>().map(Some)
    }
}
