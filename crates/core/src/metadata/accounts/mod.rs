//! Accounts: users, organizations, teams, robots, what was granted to them, and the facts of a decision.

mod changes;
mod directory;
mod tag_order;

use async_trait::async_trait;
use wharf_oci::RepositoryName;

use crate::StoreError;
use crate::access::{Facts, Narrowing};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::metadata::MOST_POLICIES;
use crate::permissions::{AccountName, Principal};
use crate::writes::NothingToDrain;

pub use changes::{
    AccountChange, AddMember, ChangeImmutabilityPolicy, CreateOrganization, CreateTeam,
    DeleteOrganization, DeleteTeam, DeleteUser, EnableRetention, Invite, LinkIdentity, NewGrant,
    NewImmutabilityPolicy, NewRobot, NewToken, NewTrustRule, NewUser, PreviewRetention,
    RemoveGrant, RemoveImmutabilityPolicy, RemoveMember, RemoveRetention, RemoveRobot, RemoveToken,
    RemoveTrustRule, RenameRepository, ReportRunning, RotateRobot, SetNamespaceQuota, SetPassword,
    SetRepositoryQuota, SetRetention, SetTeamGroups, SetVisibility, SetWrites, SignUp, Subject,
    TokenKind, UnlinkIdentity, UpdateNamespace, UpdateRobot, UpdateUser,
};
pub use directory::{
    Directory, GrantRecord, ManifestRecord, Namespace, NamespaceKind, Page, RepositoryFilter,
    RepositoryRecord, RobotRecord, TagRecord, TokenRecord, User, UserFilter, Viewer,
};
pub use tag_order::{NoTagPlace, PreReleases, SortTags, TagPlace, TagSort};

/// The public name of a user's token: the beginning of the hash of its secret.
pub type TokenId = [u8; 8];

/// What a machine secret stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHolder {
    /// Who.
    pub principal: Principal,
    /// The kind of a user's token; none for a robot.
    pub kind: Option<TokenKind>,
    /// The most that it gives.
    pub most: Narrowing,
    /// Until when it works, where it ends.
    pub expires_at: Option<Timestamp>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is done, or was so already.
    Done,
    /// The same was done before, under the same key: see [`Once`]. What this request brings, a secret above all, is
    /// kept nowhere.
    Again,
    /// Something that it names is not there.
    NotFound,
    /// The name is somebody's already.
    Taken,
    /// What it changes has another version than the change expected.
    Stale,
    /// A rule is against it.
    Refused(Refusal),
}

/// The most organizations that a user may make, while they administer them by grants of their own.
pub const MOST_ORGANIZATIONS: usize = 100;
/// The most teams of a namespace.
pub const MOST_TEAMS: usize = 500;
/// The most members of a team, not counting those by groups.
pub const MOST_MEMBERS: usize = 5000;
/// The most grants of a namespace.
pub const MOST_GRANTS: usize = 5000;
/// The most robots of a namespace.
pub const MOST_ROBOTS: usize = 500;
/// The most personal tokens of a user that have not expired.
pub const MOST_TOKENS: usize = 200;

/// Why a change is refused by those who keep the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody would be left who may do everything.
    #[error("it would leave the registry without an administrator")]
    LastAdministrator,
    /// Nobody would be left who may give rights in the organization.
    #[error("it would leave the organization without an administrator")]
    LastOwner,
    /// Repositories are in the namespace still.
    #[error("the namespace has repositories; move or delete them first")]
    NotEmpty,
    /// No invitation has that secret, or not any more.
    #[error("the invitation is not known, was used, or has expired")]
    NoInvitation,
    /// The robot has as many trust rules as it may have.
    #[error("the robot has 50 trust rules already")]
    TooManyRules,
    /// More groups than may fill one team.
    #[error("a team is filled by 100 groups at most")]
    TooManyGroups,
    /// The user administers as many organizations as they may have made.
    #[error("the user administers {} organizations already", MOST_ORGANIZATIONS)]
    TooManyOrganizations,
    /// The namespace has as many teams as it may have.
    #[error("the namespace has {} teams already", MOST_TEAMS)]
    TooManyTeams,
    /// The team has as many members as it may have.
    #[error("the team has {} members already", MOST_MEMBERS)]
    TooManyMembers,
    /// The namespace has as many grants as it may have.
    #[error(
        "the namespace has {} grants already; grant to teams, or with wider patterns",
        MOST_GRANTS
    )]
    TooManyGrants,
    /// The namespace has as many robots as it may have.
    #[error("the namespace has {} robots already", MOST_ROBOTS)]
    TooManyRobots,
    /// The user has as many personal tokens as they may have.
    #[error("the user has {} personal tokens already; delete one first", MOST_TOKENS)]
    TooManyTokens,
    /// The namespace or repository has as many immutability policies as it may have.
    #[error(
        "there are {} immutability policies already; one may have several patterns",
        MOST_POLICIES
    )]
    TooManyPolicies,
    /// The name would be free for other content under a tag that is immutable.
    #[error(
        "the repository has immutable tags, which are promised under its name; remove the policies first"
    )]
    ImmutableTags,
    /// Nobody has seen yet what it would drop.
    #[error("nobody has seen yet what this version of the policy would drop: preview it first")]
    NotPreviewed,
    /// The repository has as many reports of what runs as it may have.
    #[error("the repository has {} reports of what runs already", super::MOST_RUNNING)]
    TooManyRunning,
    /// What is read-only is not drained.
    #[error(transparent)]
    NothingToDrain(NothingToDrain),
    /// It may not be written to now.
    #[error("the repository, or all of the registry, is read-only or about to be")]
    ReadOnly,
    /// The same key came with another request before.
    #[error("the Idempotency-Key was used with another request before")]
    KeyReused,
}

/// Marks a change that is to happen once, however often it is asked for within a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// What its client calls it. Each principal has keys of their own.
    pub key: String,
    /// The hash of the request, by which another one under the same key is noticed.
    pub fingerprint: [u8; 32],
}

/// A change, with who asks for it.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// The change.
    pub change: AccountChange,
    /// Who asks.
    pub by: Actor,
    /// Whether it is to happen once.
    pub once: Option<Once>,
}

/// Accounts and grants, for those who decide and those who change.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Makes a change and writes the audit log, in one transaction.
    async fn change(&self, request: ChangeRequest) -> Result<Change, StoreError>;

    /// Finds a user.
    async fn find_user(&self, name: AccountName) -> Result<Option<User>, StoreError>;

    /// Who a secret is of, by its hash: if it has not expired, and who it is of is not disabled.
    async fn find_secret(&self, hash: [u8; 32]) -> Result<Option<SecretHolder>, StoreError>;

    /// The facts by which it is decided what `principal` may do with a repository: one query.
    async fn access_facts(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Facts, StoreError>;

    /// The facts by which it is decided what `principal` may do with a namespace: one query.
    async fn namespace_facts(
        &self,
        principal: Principal,
        namespace: AccountName,
    ) -> Result<Facts, StoreError>;

    /// Whether an invitation to sign up works, by the hash of its secret: to be asked before a password is hashed.
    async fn find_invitation(&self, hash: [u8; 32]) -> Result<bool, StoreError>;

    /// Forgets up to `limit` each of what has expired: tokens that refresh, personal ones a week after their end, sessions,
    /// device logins, invitations, marks of changes that were to happen once. Returns how many; 0 when nothing is left to
    /// forget.
    async fn forget_expired(&self, limit: usize) -> Result<u64, StoreError>;
}
