//! Users, by name.

use async_trait::async_trait;
use wharf_core::metadata::{Page, User, UserFilter};

use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::accounts::users::found;

/// `Directory::list_users`
pub(crate) struct List {
    pub(crate) filter: UserFilter,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<User>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT name, email, password_hash, site_admin,
                       CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END, version, created_at
                   FROM users
                   WHERE name > $1 AND ($2 IS NULL OR (disabled_at IS NOT NULL) = ($2 = 1))
                       AND ($3 IS NULL OR site_admin = $3)
                   ORDER BY name LIMIT $4";
        let after = self.page.after.as_deref().unwrap_or_default();
        let UserFilter { disabled, site_admin } = self.filter;
        let (disabled, site_admin) = (disabled.map(i64::from), site_admin.map(i64::from));
        let arguments = arguments![after, disabled, site_admin, self.page.limit];
        on.query(sql, arguments).await?.iter().map(found).collect()
    }
}

/// `Directory::has_users`
pub(crate) struct Any;

#[async_trait]
impl Transaction for Any {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        Ok(!on.query("SELECT 1 FROM users LIMIT 1", &[]).await?.is_empty())
    }
}
