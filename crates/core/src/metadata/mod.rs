//! The seam to the database, a trait a noun. One method is one whole transaction, named by its intent.

mod accounts;
mod device_logins;
mod event_log;
mod identities;
mod jobs;
mod last_known;
mod manifests;
mod memberships;
mod repositories;
mod sessions;
mod tags;
mod uploads;

pub use accounts::{
    Accounts, Change, NewGrant, NewRobot, NewToken, NewUser, SecretHolder, Subject, TokenKind, User,
};
pub use device_logins::{
    DeviceAnswer, DeviceFind, DeviceLogins, DevicePoll, DeviceStart, MOST_OF_ADDRESS, MOST_TRIES,
    NewDeviceLogin, NoUserCode, UserCode, WaitingDevice,
};
pub use event_log::{
    EventLog, HistoryPlace, HistoryWalk, KeepEvents, LoggedEvent, NoPosition, Position,
};
pub use identities::{
    ExternalIdentity, ExternalName, Identities, LinkedIdentity, MOST_GROUPS, MOST_TEAM_GROUPS,
    NoExternalName, ProviderGroup, ProviderName, SignInOutcome,
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
pub use uploads::{
    FinishOutcome, FinishUpload, Progress, ReserveBlob, ReserveOutcome, StartUpload, Upload,
    Uploads,
};

/// All of the metadata that requests need.
pub trait Metadata: Repositories + Memberships + Uploads + ManifestMetadata + Tags {}

impl<T: Repositories + Memberships + Uploads + ManifestMetadata + Tags> Metadata for T {}
