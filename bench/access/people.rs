//! Many users, organizations, teams and grants, made inside PostgreSQL by number, so that each can be found again.

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// How many users belong to one organization, on average; and how many teams it has.
pub const USERS_AN_ORGANIZATION: u64 = 100;
const TEAMS_AN_ORGANIZATION: u64 = 10;

/// How many repositories an organization has.
pub const REPOSITORIES: u64 = 10;

/// So many there are.
#[derive(Clone, Copy)]
pub struct Crowd {
    /// Users.
    pub users: u64,
}

impl Crowd {
    /// Organizations.
    pub const fn organizations(self) -> u64 {
        self.users / USERS_AN_ORGANIZATION
    }

    /// Teams.
    pub const fn teams(self) -> u64 {
        self.organizations() * TEAMS_AN_ORGANIZATION
    }

    /// Grants: nine of ten to users, one of ten to teams.
    pub const fn grants(self) -> u64 {
        self.users
    }
}

/// The name of a user.
pub fn user(number: u64) -> String {
    format!("user{number}")
}

/// The name of an organization.
pub fn organization(number: u64) -> String {
    format!("org{number}")
}

/// The organization in which a user is.
pub const fn organization_of(user: u64) -> u64 {
    user / USERS_AN_ORGANIZATION
}

/// Fills the tables of `wharf migrate`. Every user is in two teams of their organization, and nine of ten have a grant of
/// their own there; every team has one on the whole or on a pattern.
pub async fn load(client: &Client, crowd: Crowd) -> Result<()> {
    let (users, organizations, teams) = (crowd.users, crowd.organizations(), crowd.teams());
    // Foreign keys are not asked row by row; all rows fit together by their numbers.
    let steps = [
        "SET session_replication_role = replica; SET maintenance_work_mem = '1GB'; SET synchronous_commit = off".into(),
        format!(
            "INSERT INTO namespaces (id, name, kind, created_at)
             SELECT n, 'user' || n, 'user', 0 FROM generate_series(0, {users} - 1) n"
        ),
        format!(
            "INSERT INTO namespaces (id, name, kind, created_at)
             SELECT {users} + n, 'org' || n, 'organization', 0 FROM generate_series(0, {organizations} - 1) n"
        ),
        format!(
            "INSERT INTO users (id, name, namespace_id, created_at)
             SELECT n, 'user' || n, n, 0 FROM generate_series(0, {users} - 1) n"
        ),
        format!(
            "INSERT INTO teams (id, namespace_id, name, created_at)
             SELECT n, {users} + n / {TEAMS_AN_ORGANIZATION}, 'team' || n % {TEAMS_AN_ORGANIZATION}, 0
             FROM generate_series(0, {teams} - 1) n"
        ),
        format!(
            "INSERT INTO team_members (user_id, team_id)
             SELECT n, n / {USERS_AN_ORGANIZATION} * {TEAMS_AN_ORGANIZATION} + (n + m) % {TEAMS_AN_ORGANIZATION}
             FROM generate_series(0, {users} - 1) n, generate_series(0, 1) m"
        ),
        format!(
            "INSERT INTO grants (namespace_id, subject_kind, subject_id, role, pattern, created_by, created_at)
             SELECT {users} + n / {USERS_AN_ORGANIZATION}, 'user', n, 'read',
                 'org' || n / {USERS_AN_ORGANIZATION} || '/app' || n % {REPOSITORIES}, 'system', 0
             FROM generate_series(0, {users} - 1) n WHERE n % 10 <> 0"
        ),
        format!(
            "INSERT INTO grants (namespace_id, subject_kind, subject_id, role, pattern, created_by, created_at)
             SELECT {users} + n / {TEAMS_AN_ORGANIZATION}, 'team', n, 'write',
                 CASE WHEN n % 2 = 0 THEN '' ELSE 'org' || n / {TEAMS_AN_ORGANIZATION} || '/app1*' END, 'system', 0
             FROM generate_series(0, {teams} - 1) n"
        ),
        format!(
            "INSERT INTO repositories (name, created_at)
             SELECT 'org' || n / {REPOSITORIES} || '/app' || n % {REPOSITORIES}, 0
             FROM generate_series(0, {organizations} * {REPOSITORIES} - 1) n"
        ),
    ];
    for step in &steps {
        let what = step.lines().next().unwrap_or_default();
        eprintln!("  {}", what.split('(').next().unwrap_or_default().trim());
        client.batch_execute(step).await.with_context(|| what.to_owned())?;
    }
    eprintln!("  VACUUM ANALYZE");
    client.batch_execute("VACUUM ANALYZE").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}
