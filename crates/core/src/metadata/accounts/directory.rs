//! The directory: who and what there is, a page at a time, for those who manage it.

use async_trait::async_trait;
use wharf_oci::{Digest, MediaType, NamePattern, RepositoryName, Tag};

use crate::StoreError;
use crate::access::{Narrowing, Visibility};
use crate::clock::Timestamp;
use crate::metadata::{SortTags, Subject, TokenId};
use crate::permissions::{AccountName, RobotName};

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Behind this name, in the order of bytes; from the beginning without it.
    pub after: Option<String>,
    /// How many at most.
    pub limit: usize,
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
    /// Counts the changes.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
}

/// Which users; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Whether they may do nothing.
    pub disabled: Option<bool>,
    /// Whether they may do everything.
    pub site_admin: Option<bool>,
}

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceKind {
    /// A user's.
    User,
    /// An organization's.
    Organization,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: AccountName,
    /// Whose it is.
    pub kind: NamespaceKind,
    /// Who may read its new repositories.
    pub default_visibility: Visibility,
    /// Whether a push may make a repository.
    pub create_on_push: bool,
    /// Counts the changes.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
}

/// Somebody in a team: by hand, by a group of an identity provider, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub name: AccountName,
    /// Whether somebody put them there.
    pub by_hand: bool,
    /// Whether they are in a group that fills the team; `false` as well where groups are not looked at.
    pub by_group: bool,
}

/// A grant as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRecord {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub subject: Subject,
    /// What it gives, and where.
    pub gives: Narrowing,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A robot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotRecord {
    /// Its name.
    pub name: RobotName,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
    /// Whether it may do nothing, for now.
    pub disabled: bool,
    /// Who gave it its secret.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Counts the changes.
    pub version: i64,
}

/// A personal token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// What it is called by.
    pub id: TokenId,
    /// What its user calls it.
    pub name: String,
    /// The most that it gives.
    pub most: Narrowing,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
}

/// An invitation that works, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRecord {
    /// What it is called by.
    pub id: TokenId,
    /// Who invited.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Who looks at a list of repositories: it holds what they may pull from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Who may see all.
    All,
    /// Somebody who said nothing of themselves.
    Anyone,
    /// A user.
    User(AccountName),
    /// A robot.
    Robot(RobotName),
}

/// Which repositories; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryFilter {
    /// Of this namespace.
    pub namespace: Option<AccountName>,
    /// Of this visibility.
    pub visibility: Option<Visibility>,
    /// Of a name that this covers.
    pub pattern: Option<NamePattern>,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRecord {
    /// Its name.
    pub name: RepositoryName,
    /// Who may read it without a grant.
    pub visibility: Visibility,
    /// Counts the changes of its settings.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    /// Its name.
    pub name: Tag,
    /// Where it stands.
    pub digest: Digest,
    /// Counts its moves.
    pub version: i64,
    /// Who moved it last.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRecord {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its type, where it is no image.
    pub artifact_type: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Who pushed it.
    pub pushed_by: String,
    /// When.
    pub pushed_at: Timestamp,
}

/// The directory. Lists of what is not there are `None`, so that an empty one can be told from it.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Users, by name.
    async fn list_users(&self, filter: UserFilter, page: Page) -> Result<Vec<User>, StoreError>;

    /// Finds a namespace; that of a user or an organization that was deleted is none.
    async fn find_namespace(&self, name: AccountName) -> Result<Option<Namespace>, StoreError>;

    /// Organizations, by name: those in which a user has a grant or is in a team, by hand or by a group, or all.
    async fn list_organizations(
        &self,
        of: Option<AccountName>,
        page: Page,
    ) -> Result<Vec<Namespace>, StoreError>;

    /// The teams of a namespace, by name.
    async fn list_teams(
        &self,
        namespace: AccountName,
        page: Page,
    ) -> Result<Option<Vec<AccountName>>, StoreError>;

    /// The members of a team, by name: those by hand, and with `by_groups` those by groups of identity providers too.
    async fn list_members(
        &self,
        namespace: AccountName,
        team: AccountName,
        by_groups: bool,
        page: Page,
    ) -> Result<Option<Vec<Member>>, StoreError>;

    /// The grants of a namespace, by number, which `after` is.
    async fn list_grants(
        &self,
        namespace: AccountName,
        page: Page,
    ) -> Result<Option<Vec<GrantRecord>>, StoreError>;

    /// Finds the grant of a subject with a pattern, or without one.
    async fn find_grant(
        &self,
        namespace: AccountName,
        subject: Subject,
        pattern: Option<NamePattern>,
    ) -> Result<Option<GrantRecord>, StoreError>;

    /// The robots of a namespace, by name.
    async fn list_robots(
        &self,
        namespace: AccountName,
        page: Page,
    ) -> Result<Option<Vec<RobotRecord>>, StoreError>;

    /// Finds a robot.
    async fn find_robot(&self, name: RobotName) -> Result<Option<RobotRecord>, StoreError>;

    /// The personal tokens of a user, the oldest first: all of them, which are no more than
    /// [`MOST_TOKENS`](crate::metadata::MOST_TOKENS).
    async fn list_tokens(&self, user: AccountName) -> Result<Option<Vec<TokenRecord>>, StoreError>;

    /// Finds a personal token of a user.
    async fn find_token(
        &self,
        user: AccountName,
        id: TokenId,
    ) -> Result<Option<TokenRecord>, StoreError>;

    /// The invitations to sign up that work, by what they are called, behind one. Codes of the first administrator are none.
    async fn list_invitations(
        &self,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<Vec<InvitationRecord>, StoreError>;

    /// The repositories that somebody may pull from, by name: of one namespace, or of those that they have rights in.
    async fn list_visible(
        &self,
        viewer: Viewer,
        filter: RepositoryFilter,
        page: Page,
    ) -> Result<Vec<RepositoryRecord>, StoreError>;

    /// Finds a repository.
    async fn find_repository(
        &self,
        name: RepositoryName,
    ) -> Result<Option<RepositoryRecord>, StoreError>;

    /// The tags of a repository, by name, each with where it stands.
    async fn list_tag_records(
        &self,
        repository: RepositoryName,
        page: Page,
    ) -> Result<Option<Vec<TagRecord>>, StoreError>;

    /// The tags of a repository in another order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] too while so many tags of a release before this one have to be put in order that
    /// one call does not do it: each call goes on where the one before stopped.
    async fn sort_tag_records(&self, query: SortTags)
    -> Result<Option<Vec<TagRecord>>, StoreError>;

    /// Finds a tag of a repository.
    async fn find_tag_record(
        &self,
        repository: RepositoryName,
        tag: Tag,
    ) -> Result<Option<TagRecord>, StoreError>;

    /// Finds a manifest of a repository.
    async fn find_manifest_record(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Option<ManifestRecord>, StoreError>;

    /// The manifests of a repository, by digest, behind one.
    async fn list_manifest_records(
        &self,
        repository: RepositoryName,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Option<Vec<ManifestRecord>>, StoreError>;

    /// Whether there is any user at all.
    async fn has_users(&self) -> Result<bool, StoreError>;
}
