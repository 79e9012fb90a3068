//! The facts of a decision, in one query: rows of several kinds, each found by an index.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::{Facts, Grant, NamespaceFacts, Through, Visibility};
use wharf_core::permissions::Principal;
use wharf_oci::RepositoryName;

use super::secrets::{is_let_in, narrowing};
use crate::engine::{Dialect, Result, Row, Statements, Transaction, arguments};

/// `Accounts::access_facts`, and those of a namespace where no repository is asked for.
pub(crate) struct Find {
    pub(crate) principal: Principal,
    pub(crate) namespace: String,
    pub(crate) repository: Option<RepositoryName>,
}

/// Rows of a kind, two numbers, and three texts. $1 is the repository; the rest of it is of whoever asks for nothing.
const OF_ANYONE: &str =
    "SELECT 'repository', CAST(0 AS bigint), CAST(0 AS bigint), visibility, '', ''
     FROM repositories WHERE name = $1";

/// The same, and those of a user ($2) in the namespace ($3). The last `UNION` leaves one row of a grant that reaches them
/// by a team twice: by hand and by a group, or by several groups.
const OF_USER: &str =
    "SELECT 'repository', CAST(0 AS bigint), CAST(0 AS bigint), visibility, '', ''
     FROM repositories WHERE name = $1
     UNION ALL
     SELECT 'principal', site_admin, 0, '', '', '' FROM users
     WHERE name = $2 AND disabled_at IS NULL
     UNION ALL
     SELECT 'namespace', n.create_on_push, CASE WHEN u.id IS NULL THEN 0 ELSE 1 END, '', '', ''
     FROM namespaces n LEFT JOIN users u ON u.namespace_id = n.id AND u.name = $2
     WHERE n.name = $3
     UNION ALL
     SELECT 'grant', g.id, 0, g.role, g.pattern, '' FROM users u
     JOIN namespaces n ON n.name = $3
     JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'user' AND g.subject_id = u.id
     WHERE u.name = $2
     UNION ALL
     SELECT 'grant', g.id, 0, g.role, g.pattern, t.name FROM users u
     JOIN team_members m ON m.user_id = u.id
     JOIN teams t ON t.id = m.team_id
     JOIN namespaces n ON n.id = t.namespace_id AND n.name = $3
     JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'team' AND g.subject_id = t.id
     WHERE u.name = $2
     UNION
     SELECT 'grant', g.id, 0, g.role, g.pattern, t.name FROM users u
     JOIN user_groups m ON m.user_id = u.id
     JOIN team_groups f ON f.provider = m.provider AND f.group_name = m.group_name
     JOIN teams t ON t.id = f.team_id
     JOIN namespaces n ON n.id = t.namespace_id AND n.name = $3
     JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'team' AND g.subject_id = t.id
     WHERE u.name = $2";

/// The same, and those of a robot ($2, of the namespace $3), which has grants in its own namespace alone; $4 is now.
const OF_ROBOT: &str = concat!(
    "SELECT 'repository', CAST(0 AS bigint), CAST(0 AS bigint), visibility, '', ''
     FROM repositories WHERE name = $1
     UNION ALL
     SELECT 'principal', 0, 0, '', '', '' FROM robots r JOIN namespaces n ON n.id = r.namespace_id
     WHERE r.name = $2 AND n.name = $3 AND ",
    is_let_in!("$4"),
    "
     UNION ALL
     SELECT 'namespace', create_on_push, 0, '', '', '' FROM namespaces WHERE name = $3
     UNION ALL
     SELECT 'grant', g.id, 0, g.role, g.pattern, '' FROM robots r
     JOIN namespaces n ON n.id = r.namespace_id
     JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'robot' AND g.subject_id = r.id
     WHERE r.name = $2 AND n.name = $3"
);

/// The facts of a user. On PostgreSQL the statement stands in a function, where the server keeps its plan.
pub(crate) const fn of_user(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => OF_USER,
        Dialect::Postgres => "SELECT * FROM access_facts_of_user($1, $2, $3)",
    }
}

/// Those of a robot, likewise.
const fn of_robot(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => OF_ROBOT,
        Dialect::Postgres => "SELECT * FROM access_facts_of_robot($1, $2, $3, $4)",
    }
}

#[async_trait]
impl Transaction for Find {
    type Output = Facts;

    async fn run(&self, on: &mut dyn Statements) -> Result<Facts> {
        // No repository has an empty name.
        let repository = self.repository.as_ref().map_or("", RepositoryName::as_str);
        let namespace = self.namespace.as_str();
        let rows = match &self.principal {
            Principal::Anonymous | Principal::System => {
                on.query(OF_ANYONE, arguments![repository]).await?
            }
            Principal::User(name) => {
                on.query(of_user(on.dialect()), arguments![repository, name.as_str(), namespace])
                    .await?
            }
            Principal::Robot(name) if name.namespace.as_str() != namespace => {
                on.query(OF_ANYONE, arguments![repository]).await?
            }
            Principal::Robot(name) => {
                let now = on.now().await?;
                let arguments = arguments![repository, name.name.as_str(), namespace, now];
                on.query(of_robot(on.dialect()), arguments).await?
            }
        };
        let mut facts = Facts::default();
        let mut grants = Vec::new();
        for row in &rows {
            match row.text(0)? {
                "repository" => facts.repository = Some(visibility(row)?),
                "principal" => (facts.active, facts.site_admin) = (true, row.int(1)? != 0),
                "namespace" => {
                    let (create_on_push, own) = (row.int(1)? != 0, row.int(2)? != 0);
                    let empty = NamespaceFacts { own, create_on_push, grants: Vec::new() };
                    facts.namespace = Some(empty);
                }
                _ => grants.push(grant(row)?),
            }
        }
        if let Some(namespace) = &mut facts.namespace {
            namespace.grants = grants;
        }
        Ok(facts)
    }
}

fn visibility(row: &Row) -> Result<Visibility> {
    let text = row.text(3)?;
    Visibility::named(text).ok_or_else(|| StoreError::Corrupt(format!("{text:?} is no visibility")))
}

fn grant(row: &Row) -> Result<Grant> {
    let through = match row.text(5)? {
        "" => Through::Direct,
        _ => Through::Team(row.parsed(5)?),
    };
    Ok(Grant { id: row.int(1)?, gives: narrowing(row, 3, 4)?, through })
}
