//! The seam to the database, a trait a noun. One method is one whole transaction, named by its intent.

mod accounts;
mod adoptions;
mod audit;
mod counts;
mod deleted_repositories;
mod device_logins;
mod event_log;
mod garbage;
mod identities;
mod immutability;
mod integrity;
mod jobs;
mod last_known;
mod manifests;
mod memberships;
mod pins;
mod repositories;
mod retention;
mod rollback;
mod sessions;
mod tag_history;
mod tags;
mod too_much;
mod trash;
mod trust;
mod uploads;
mod usage;
mod write_modes;

pub use accounts::{
    AccountChange, Accounts, AddMember, Change, ChangeImmutabilityPolicy, ChangeRequest,
    CreateOrganization, CreateTeam, DeleteOrganization, DeleteTeam, DeleteUser, Directory,
    EnableRetention, GrantRecord, InvitationRecord, Invite, LinkIdentity, MOST_GRANTS,
    MOST_MEMBERS, MOST_ORGANIZATIONS, MOST_REFRESH_TOKENS, MOST_ROBOTS, MOST_TEAMS, MOST_TOKENS,
    ManifestRecord, Member, Namespace, NamespaceKind, NewGrant, NewImmutabilityPolicy, NewRobot,
    NewToken, NewTrustRule, NewUser, NoTagPlace, Once, Page, PreReleases, PreviewRetention,
    Refusal, RemoveGrant, RemoveImmutabilityPolicy, RemoveMember, RemoveRetention, RemoveRobot,
    RemoveToken, RemoveTrustRule, RenameRepository, ReportRunning, RepositoryFilter,
    RepositoryRecord, RevokeInvitation, RobotRecord, RotateRobot, SecretHolder, SetNamespaceQuota,
    SetPassword, SetRepositoryQuota, SetRetention, SetTeamGroups, SetVisibility, SetWrites, SignUp,
    SortTags, Subject, TagPlace, TagRecord, TagSort, TokenId, TokenKind, TokenRecord,
    UnlinkIdentity, UpdateNamespace, UpdateRobot, UpdateUser, User, UserFilter, Viewer,
};
pub use adoptions::{
    AdoptBlob, AdoptTag, Adoptable, AdoptedBlob, AdoptedTag, Adoption, AdoptionProgress,
    AdoptionState, Adoptions, Finding, Hashing, MOST_FINDINGS, RecordAdoption, StartAdoption,
    StartedAdoption,
};
pub use audit::{
    AuditEntry, AuditFilter, AuditLog, AuditOrder, AuditOutcome, AuditReaders, AuditRecord,
};
pub use counts::{
    CountAt, CountBatch, CountKind, Counts, CountsOf, ManifestTally, Span, Step, TopList,
    TopManifest, TopRepository, Trend, Within,
};
pub use deleted_repositories::{
    DeleteRepository, DeletedRepositories, DeletedRepository, ListDeletedRepositories,
    RepositoryDeletion, RepositoryRestoration, RestoreRepository,
};
pub use device_logins::{
    DeviceAnswer, DeviceDecision, DeviceFind, DeviceLogins, DevicePoll, DeviceStart,
    MOST_OF_ADDRESS, MOST_TRIES, NewDeviceLogin, NoUserCode, UserCode, WaitingDevice,
};
pub use event_log::{
    EventLog, EventScope, HistoryPlace, HistoryWalk, KeepEvents, LoggedEvent, NoPosition, Position,
};
pub use garbage::{
    Fate, Freed, Garbage, GarbageCounts, Going, GoingManifest, GoingRepository, HeldPlace, Judged,
    Keeper, MOST_NEEDING, ManifestRules, MarkedBlob, Purged, StagedUpload, Taken, Unneeded,
    UnneededBlob,
};
pub use identities::{
    ExternalIdentity, ExternalName, Identities, LinkedIdentity, MOST_GROUPS, MOST_TEAM_GROUPS,
    NoExternalName, ProviderGroup, ProviderName, SignInOutcome, in_words,
};
pub use immutability::{ImmutabilityPolicies, MOST_POLICIES, TagImmutability};
pub use integrity::{
    CheckedBlob, CheckedManifest, Damage, FaultKind, FindingFilter, FindingState, FindingStates,
    FinishRepair, FoundKind, Integrity, MOST_COPIES, MOST_TOLD, NoFaultKind, NotedManifest, Pass,
    PassPlace, PassState, ReferencesChecked, ReleaseOutcome, RepairManifest, ScrubFinding,
    StartRepair,
};
pub use jobs::{ClaimedJob, JobCount, JobOutcome, JobState, JobStatus, Jobs, Lease, NewJob};
pub use last_known::LastKnown;
pub use manifests::{
    CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, ListReferrers, ManifestMetadata,
    Referrer, StoredManifest,
};
pub use memberships::{FoundBlob, KeepBlob, Memberships, MountBlob, RemoveBlob, RemoveOutcome};
pub use pins::{
    KeptBy, MOST_PINS, NoPin, NoPinName, Pin, PinManifest, PinName, PinOutcome, PinTarget, Pins,
    UnpinManifest,
};
pub use repositories::Repositories;
pub use retention::{
    DropOutcome, DropTag, MOST_RUNNING, Retention, RetentionBasis, RetentionRecord, RetentionRun,
    RetentionState, TagKey, UntaggedPage,
};
pub use rollback::{KnownTag, NoPlace, RollBackOutcome, RollBackTag, RollBackTo};
pub use sessions::{MOST_SESSIONS, NewSession, Session, Sessions};
pub use tag_history::{
    AsOf, ChangePlace, ListChanges, NoChangePlace, Reason, Stood, TagChange, TagHistory, TagThen,
    Then,
};
pub use tags::{DeleteTag, DroppedBy, Precondition, Tags};
pub use too_much::{MOST_MOVED, MOST_NEEDED, MOST_TAGS, TooMuch};
pub use trash::{
    DeletedManifest, ListDeleted, MOST_RESTORED, MOST_TAGS_LISTED, Restore, RestoreOutcome, Trash,
};
pub use trust::{Conditions, MOST_RULES, NewWorkloadToken, NoConditions, TrustRule, TrustRules};
pub use uploads::{
    FinishOutcome, FinishUpload, HoldUpload, Progress, ReserveBlob, ReserveOutcome, StartUpload,
    Upload, Uploads,
};
pub use usage::{
    BlobSize, Bytes, Counted, Drift, Meter, NumberedScope, OverQuota, Quota, RegistryUsage, Scope,
    ScopeKind, ScopeUsage, StoredCount, Usage, UsageMetadata,
};
pub use write_modes::{WriteModes, WriteState};

/// All of the metadata that requests need.
pub trait Metadata:
    Repositories
    + Memberships
    + Uploads
    + ManifestMetadata
    + Tags
    + TagHistory
    + Pins
    + Trash
    + DeletedRepositories
{
}

impl<T> Metadata for T where
    T: Repositories
        + Memberships
        + Uploads
        + ManifestMetadata
        + Tags
        + TagHistory
        + Pins
        + Trash
        + DeletedRepositories
{
}
