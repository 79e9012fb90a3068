//! Accounts: users, organizations, teams, robots, what was granted to them, and the facts of a decision.

use async_trait::async_trait;
use wharf_oci::{NamePattern, RepositoryName};

use crate::StoreError;
use crate::access::{Facts, Role, Visibility};
use crate::clock::Timestamp;
use crate::permissions::{AccountName, Principal, RobotName};

/// A user to be made, with the namespace of the same name.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name.
    pub name: AccountName,
    /// Where they are written to, if anywhere.
    pub email: Option<String>,
    /// The hash of their password, as a text that says how it was made; without one they log in otherwise.
    pub password_hash: Option<String>,
    /// Whether they may do everything everywhere.
    pub site_admin: bool,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: AccountName,
    /// Where they are written to.
    pub email: Option<String>,
    /// The hash of their password.
    pub password_hash: Option<String>,
    /// Whether they may do everything everywhere.
    pub site_admin: bool,
    /// Whether they may do nothing, for now.
    pub disabled: bool,
}

/// Who a grant is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(AccountName),
    /// A team of the namespace.
    Team(AccountName),
    /// A robot of the namespace.
    Robot(AccountName),
}

/// A grant to be made; one for the same subject and pattern is replaced.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// In which namespace.
    pub namespace: AccountName,
    /// To whom.
    pub subject: Subject,
    /// What.
    pub role: Role,
    /// On which repositories of the namespace; all where there is none.
    pub pattern: Option<NamePattern>,
    /// Who makes it.
    pub by: String,
}

/// A robot to be made.
#[derive(Clone, Debug)]
pub struct NewRobot {
    /// Its name.
    pub name: RobotName,
    /// The hash of its secret.
    pub secret_hash: [u8; 32],
    /// Until when it works; for ever where there is none.
    pub expires_at: Option<Timestamp>,
    /// Who makes it.
    pub by: String,
}

/// What a user's token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// It stands in for the password.
    Personal,
    /// It gets new access tokens.
    Refresh,
}

/// A user's token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whose.
    pub user: AccountName,
    /// What for.
    pub kind: TokenKind,
    /// What its user calls it.
    pub name: String,
    /// The hash of its secret.
    pub secret_hash: [u8; 32],
    /// The most that it gives.
    pub role: Role,
    /// On which repositories; on all where there is none.
    pub pattern: Option<NamePattern>,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
}

/// What a machine secret stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHolder {
    /// Who.
    pub principal: Principal,
    /// The kind of a user's token; none for a robot.
    pub kind: Option<TokenKind>,
    /// The most that it gives.
    pub role: Role,
    /// On which repositories; on all where there is none.
    pub pattern: Option<NamePattern>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is done, or was so already.
    Done,
    /// Something that it names is not there.
    NotFound,
    /// The name is somebody's already.
    Taken,
}

/// Accounts and grants.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Makes a user.
    async fn create_user(&self, user: NewUser) -> Result<Change, StoreError>;

    /// Finds a user.
    async fn find_user(&self, name: AccountName) -> Result<Option<User>, StoreError>;

    /// The first `limit` users behind `after`, in the order of their names.
    async fn list_users(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<User>, StoreError>;

    /// Gives a user another password.
    async fn set_password(&self, name: AccountName, hash: String) -> Result<Change, StoreError>;

    /// Disables a user, or enables them again. Disabling ends all that gets new access tokens without a login.
    async fn set_disabled(&self, name: AccountName, disabled: bool) -> Result<Change, StoreError>;

    /// Makes an organization: a namespace of its own, of which `owner` is an administrator.
    async fn create_organization(
        &self,
        name: AccountName,
        owner: AccountName,
    ) -> Result<Change, StoreError>;

    /// Sets who may read new repositories of a namespace, and whether pushes make any.
    async fn set_namespace(
        &self,
        name: AccountName,
        visibility: Visibility,
        create_on_push: bool,
    ) -> Result<Change, StoreError>;

    /// Makes a team.
    async fn create_team(
        &self,
        namespace: AccountName,
        team: AccountName,
    ) -> Result<Change, StoreError>;

    /// Adds a user to a team, or takes them out.
    async fn set_member(
        &self,
        namespace: AccountName,
        team: AccountName,
        user: AccountName,
        is_member: bool,
    ) -> Result<Change, StoreError>;

    /// Makes a grant.
    async fn put_grant(&self, grant: NewGrant) -> Result<Change, StoreError>;

    /// Takes a grant away.
    async fn remove_grant(
        &self,
        namespace: AccountName,
        subject: Subject,
        pattern: Option<NamePattern>,
    ) -> Result<Change, StoreError>;

    /// Makes a robot. One of that name gets the new secret, and the old one works no more.
    async fn put_robot(&self, robot: NewRobot) -> Result<Change, StoreError>;

    /// Makes a token.
    async fn create_token(&self, token: NewToken) -> Result<Change, StoreError>;

    /// Who a secret is of, by its hash: if it has not expired, and who it is of is not disabled.
    async fn find_secret(&self, hash: [u8; 32]) -> Result<Option<SecretHolder>, StoreError>;

    /// Takes a token away.
    async fn remove_token(&self, hash: [u8; 32]) -> Result<Change, StoreError>;

    /// Sets who may read a repository without a grant.
    async fn set_visibility(
        &self,
        repository: RepositoryName,
        visibility: Visibility,
    ) -> Result<Change, StoreError>;

    /// The facts by which it is decided what `principal` may do with a repository: one query.
    async fn access_facts(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Facts, StoreError>;
}
