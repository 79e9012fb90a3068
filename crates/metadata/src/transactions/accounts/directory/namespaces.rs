//! Namespaces, their teams and grants.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::Visibility;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{GrantRecord, Member, Namespace, NamespaceKind, Page, Subject};
use wharf_core::permissions::AccountName;
use wharf_oci::NamePattern;

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::accounts::grants::{stored, subject};
use crate::transactions::accounts::secrets::narrowing;
use crate::transactions::accounts::{namespace, team};

/// `Directory::find_namespace`. An organization without any grant was deleted: of each that is there somebody is an
/// administrator. So was the user of a namespace that is no user's.
pub(crate) struct Find(pub(crate) AccountName);

#[async_trait]
impl Transaction for Find {
    type Output = Option<Namespace>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT name, kind, default_visibility, create_on_push, version, created_at
                   FROM namespaces n WHERE name = $1 AND (
                       EXISTS (SELECT 1 FROM users WHERE namespace_id = n.id) OR
                       kind = 'organization' AND
                           EXISTS (SELECT 1 FROM grants WHERE namespace_id = n.id))";
        let rows = on.query(sql, arguments![self.0.as_str()]).await?;
        rows.first().map(found).transpose()
    }
}

fn found(row: &Row) -> Result<Namespace> {
    let kind = match row.text(1)? {
        "user" => NamespaceKind::User,
        _ => NamespaceKind::Organization,
    };
    Ok(Namespace {
        name: row.parsed(0)?,
        kind,
        default_visibility: visibility(row, 2)?,
        create_on_push: row.int(3)? != 0,
        version: row.int(4)?,
        created_at: Timestamp(row.int(5)?),
    })
}

pub(super) fn visibility(row: &Row, column: usize) -> Result<Visibility> {
    let text = row.text(column)?;
    Visibility::named(text).ok_or_else(|| StoreError::Corrupt(format!("{text:?} is no visibility")))
}

/// `Directory::list_organizations`
pub(crate) struct ListOrganizations {
    pub(crate) of: Option<AccountName>,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for ListOrganizations {
    type Output = Vec<Namespace>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let after = self.page.after.as_deref().unwrap_or_default();
        let rows = match &self.of {
            None => {
                let sql =
                    "SELECT name, kind, default_visibility, create_on_push, version, created_at
                           FROM namespaces n WHERE kind = 'organization' AND name > $1
                               AND EXISTS (SELECT 1 FROM grants WHERE namespace_id = n.id)
                           ORDER BY name LIMIT $2";
                on.query(sql, arguments![after, self.page.limit]).await?
            }
            Some(user) => {
                let sql = "SELECT name, kind, default_visibility, create_on_push, version, created_at
                           FROM namespaces WHERE kind = 'organization' AND name > $1 AND id IN (
                               SELECT g.namespace_id FROM users u JOIN grants g
                                   ON g.subject_kind = 'user' AND g.subject_id = u.id WHERE u.name = $2
                               UNION
                               SELECT t.namespace_id FROM users u
                                   JOIN team_members m ON m.user_id = u.id
                                   JOIN teams t ON t.id = m.team_id WHERE u.name = $2
                               UNION
                               SELECT t.namespace_id FROM users u
                                   JOIN user_groups m ON m.user_id = u.id
                                   JOIN team_groups f
                                       ON f.provider = m.provider AND f.group_name = m.group_name
                                   JOIN teams t ON t.id = f.team_id WHERE u.name = $2)
                           ORDER BY name LIMIT $3";
                on.query(sql, arguments![after, user.as_str(), self.page.limit]).await?
            }
        };
        rows.iter().map(found).collect()
    }
}

/// `Directory::list_teams`
pub(crate) struct ListTeams {
    pub(crate) namespace: AccountName,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for ListTeams {
    type Output = Option<Vec<AccountName>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(namespace) = namespace(on, &self.namespace).await? else { return Ok(None) };
        let sql =
            "SELECT name FROM teams WHERE namespace_id = $1 AND name > $2 ORDER BY name LIMIT $3";
        let after = self.page.after.as_deref().unwrap_or_default();
        let rows = on.query(sql, arguments![namespace, after, self.page.limit]).await?;
        rows.iter().map(|row| row.parsed(0)).collect::<Result<_>>().map(Some)
    }
}

/// Members of the team $1 behind a name, with whether they are there by hand and whether by a group.
const BY_HAND: &str = "SELECT u.name, CAST(1 AS bigint), CAST(0 AS bigint)
                       FROM team_members m JOIN users u ON u.id = m.user_id
                       WHERE m.team_id = $1 AND u.name > $2 ORDER BY u.name LIMIT $3";

/// The same, and those by groups.
const BY_HAND_OR_GROUP: &str = "SELECT name, max(by_hand), max(by_group) FROM (
         SELECT u.name AS name, CAST(1 AS bigint) AS by_hand, CAST(0 AS bigint) AS by_group
         FROM team_members m JOIN users u ON u.id = m.user_id
         WHERE m.team_id = $1 AND u.name > $2
         UNION ALL
         SELECT u.name, 0, 1 FROM team_groups f
         JOIN user_groups m ON m.provider = f.provider AND m.group_name = f.group_name
         JOIN users u ON u.id = m.user_id
         WHERE f.team_id = $1 AND u.name > $2) members
     GROUP BY name ORDER BY name LIMIT $3";

/// `Directory::list_members`
pub(crate) struct ListMembers {
    pub(crate) namespace: AccountName,
    pub(crate) team: AccountName,
    pub(crate) by_groups: bool,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for ListMembers {
    type Output = Option<Vec<Member>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(namespace) = namespace(on, &self.namespace).await? else { return Ok(None) };
        let Some(team) = team(on, namespace, &self.team).await? else { return Ok(None) };
        let sql = if self.by_groups { BY_HAND_OR_GROUP } else { BY_HAND };
        let after = self.page.after.as_deref().unwrap_or_default();
        let rows = on.query(sql, arguments![team, after, self.page.limit]).await?;
        let member = |row: &Row| {
            let (by_hand, by_group) = (row.int(1)? != 0, row.int(2)? != 0);
            Ok(Member { name: row.parsed(0)?, by_hand, by_group })
        };
        rows.iter().map(member).collect::<Result<_>>().map(Some)
    }
}

/// `Directory::list_grants`
pub(crate) struct ListGrants {
    pub(crate) namespace: AccountName,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for ListGrants {
    type Output = Option<Vec<GrantRecord>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(namespace) = namespace(on, &self.namespace).await? else { return Ok(None) };
        let sql =
            "SELECT g.id, g.subject_kind, coalesce(u.name, t.name, r.name), g.role, g.pattern,
                       g.created_by, g.created_at
                   FROM grants g
                   LEFT JOIN users u ON g.subject_kind = 'user' AND u.id = g.subject_id
                   LEFT JOIN teams t ON g.subject_kind = 'team' AND t.id = g.subject_id
                   LEFT JOIN robots r ON g.subject_kind = 'robot' AND r.id = g.subject_id
                   WHERE g.namespace_id = $1 AND g.id > $2
                       AND coalesce(u.name, t.name, r.name) IS NOT NULL
                   ORDER BY g.id LIMIT $3";
        let after = self.page.after.as_deref().and_then(|after| after.parse::<i64>().ok());
        let arguments = arguments![namespace, after.unwrap_or_default(), self.page.limit];
        on.query(sql, arguments).await?.iter().map(grant).collect::<Result<_>>().map(Some)
    }
}

/// `Directory::find_grant`
pub(crate) struct FindGrant {
    pub(crate) namespace: AccountName,
    pub(crate) subject: Subject,
    pub(crate) pattern: Option<NamePattern>,
}

#[async_trait]
impl Transaction for FindGrant {
    type Output = Option<GrantRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(namespace) = namespace(on, &self.namespace).await? else { return Ok(None) };
        let Some((kind, id)) = subject(on, namespace, &self.subject).await? else {
            return Ok(None);
        };
        let sql = "SELECT id, role, pattern, created_by, created_at FROM grants
                   WHERE namespace_id = $1 AND subject_kind = $2 AND subject_id = $3 AND pattern = $4";
        let pattern = stored(self.pattern.as_ref());
        let rows = on.query(sql, arguments![namespace, kind, id, pattern]).await?;
        rows.first().map(|row| granted(row, self.subject.clone(), [0, 1, 2, 3, 4])).transpose()
    }
}

fn grant(row: &Row) -> Result<GrantRecord> {
    let name = row.parsed(2)?;
    let subject = match row.text(1)? {
        "user" => Subject::User(name),
        "team" => Subject::Team(name),
        _ => Subject::Robot(name),
    };
    granted(row, subject, [0, 3, 4, 5, 6])
}

/// The grant of a subject, by the columns of its number, role, pattern, maker and time.
fn granted(row: &Row, subject: Subject, columns: [usize; 5]) -> Result<GrantRecord> {
    let [id, role, pattern, created_by, created_at] = columns;
    Ok(GrantRecord {
        id: row.int(id)?,
        subject,
        gives: narrowing(row, role, pattern)?,
        created_by: row.text(created_by)?.to_owned(),
        created_at: Timestamp(row.int(created_at)?),
    })
}
