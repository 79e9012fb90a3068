//! The seam to the database, a trait a noun. One method is one whole transaction, named by its intent.

mod accounts;
mod audit;
mod counts;
mod device_logins;
mod event_log;
mod garbage;
mod identities;
mod jobs;
mod last_known;
mod manifests;
mod memberships;
mod repositories;
mod sessions;
mod tags;
mod trust;
mod uploads;
mod usage;

pub use accounts::{
    AccountChange, Accounts, AddMember, Change, ChangeRequest, CreateOrganization, CreateTeam,
    DeleteOrganization, DeleteTeam, DeleteUser, Directory, GrantRecord, Invite, LinkIdentity,
    MOST_GRANTS, MOST_MEMBERS, MOST_ORGANIZATIONS, MOST_ROBOTS, MOST_TEAMS, MOST_TOKENS,
    ManifestRecord, Namespace, NamespaceKind, NewGrant, NewRobot, NewToken, NewTrustRule, NewUser,
    Once, Page, Refusal, RemoveGrant, RemoveMember, RemoveRobot, RemoveToken, RemoveTrustRule,
    RenameRepository, RepositoryFilter, RepositoryRecord, RobotRecord, RotateRobot, SecretHolder,
    SetNamespaceQuota, SetPassword, SetRepositoryQuota, SetTeamGroups, SetVisibility, SignUp,
    Subject, TagRecord, TokenId, TokenKind, TokenRecord, UnlinkIdentity, UpdateNamespace,
    UpdateRobot, UpdateUser, User, UserFilter, Viewer,
};
pub use audit::{
    AuditEntry, AuditFilter, AuditLog, AuditOrder, AuditOutcome, AuditReaders, AuditRecord,
};
pub use counts::{
    CountAt, CountBatch, CountKind, Counts, CountsOf, ManifestTally, Span, Step, TopList,
    TopManifest, TopRepository, Trend, Within,
};
pub use device_logins::{
    DeviceAnswer, DeviceDecision, DeviceFind, DeviceLogins, DevicePoll, DeviceStart,
    MOST_OF_ADDRESS, MOST_TRIES, NewDeviceLogin, NoUserCode, UserCode, WaitingDevice,
};
pub use event_log::{
    EventLog, HistoryPlace, HistoryWalk, KeepEvents, LoggedEvent, NoPosition, Position,
};
pub use garbage::{Garbage, GarbageCounts, HeldPlace, Judged, ManifestRules, Taken};
pub use identities::{
    ExternalIdentity, ExternalName, Identities, LinkedIdentity, MOST_GROUPS, MOST_TEAM_GROUPS,
    NoExternalName, ProviderGroup, ProviderName, SignInOutcome, in_words,
};
pub use jobs::{ClaimedJob, JobCount, JobOutcome, JobState, JobStatus, Jobs, Lease, NewJob};
pub use last_known::LastKnown;
pub use manifests::{
    CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, ListReferrers, ManifestMetadata,
    Referrer, StoredManifest,
};
pub use memberships::{Memberships, MountBlob, RemoveBlob, RemoveOutcome};
pub use repositories::Repositories;
pub use sessions::{MOST_SESSIONS, NewSession, Session, Sessions};
pub use tags::{DeleteTag, Precondition, Tags};
pub use trust::{Conditions, MOST_RULES, NewWorkloadToken, NoConditions, TrustRule, TrustRules};
pub use uploads::{
    FinishOutcome, FinishUpload, HoldUpload, Progress, ReserveBlob, ReserveOutcome, StartUpload,
    Upload, Uploads,
};
pub use usage::{
    BlobSize, Bytes, Counted, Drift, Meter, OverQuota, Quota, RegistryUsage, Scope, ScopeUsage,
    StoredCount, Usage, UsageMetadata,
};

/// All of the metadata that requests need.
pub trait Metadata: Repositories + Memberships + Uploads + ManifestMetadata + Tags {}

impl<T: Repositories + Memberships + Uploads + ManifestMetadata + Tags> Metadata for T {}
