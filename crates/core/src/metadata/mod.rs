//! The seam to the database, a trait a noun. One method is one whole transaction, named by its intent.

mod accounts;
mod counts;
mod event_log;
mod jobs;
mod last_known;
mod manifests;
mod memberships;
mod repositories;
mod tags;
mod uploads;

pub use accounts::{
    Accounts, Change, NewGrant, NewRobot, NewToken, NewUser, SecretHolder, Subject, TokenKind, User,
};
pub use counts::{
    CountAt, CountBatch, CountKind, Counts, CountsOf, ManifestTally, Span, Step, TopList,
    TopManifest, TopRepository, Trend, Within,
};
pub use event_log::{
    EventLog, HistoryPlace, HistoryWalk, KeepEvents, LoggedEvent, NoPosition, Position,
};
pub use jobs::{ClaimedJob, JobCount, JobOutcome, JobState, JobStatus, Jobs, Lease, NewJob};
pub use last_known::LastKnown;
pub use manifests::{
    CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, ListReferrers, ManifestMetadata,
    Referrer, StoredManifest,
};
pub use memberships::{Memberships, MountBlob, RemoveBlob, RemoveOutcome};
pub use repositories::Repositories;
pub use tags::{DeleteTag, Precondition, Tags};
pub use uploads::{
    FinishOutcome, FinishUpload, Progress, ReserveBlob, ReserveOutcome, StartUpload, Upload,
    Uploads,
};

/// All of the metadata that requests need.
pub trait Metadata: Repositories + Memberships + Uploads + ManifestMetadata + Tags {}

impl<T: Repositories + Memberships + Uploads + ManifestMetadata + Tags> Metadata for T {}
