//! Metadata that fails on purpose: SQLite, with scripted faults at chosen calls.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot::{Receiver, Sender, channel};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::*;
use wharf_core::{StoreError, UploadId};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

type Result<T> = std::result::Result<T, StoreError>;

/// What goes wrong.
pub enum MetadataFault {
    /// The call fails and does nothing.
    Fail,
    /// The call does its work and fails all the same, as if its reply was lost on the way.
    LoseReply,
    /// The call does nothing and nobody knows, as if what was asked for was still on the way.
    Delay,
    /// The call does its work, tells so, and replies only when told to.
    Hold(Sender<()>, Receiver<()>),
}

/// SQLite whose calls fail as a test's script says.
pub struct FaultyMetadata {
    pub(crate) inner: Database<Sqlite>,
    calls: Mutex<HashMap<&'static str, u64>>,
    faults: Mutex<HashMap<(&'static str, u64), MetadataFault>>,
}

impl FaultyMetadata {
    pub fn new(inner: Database<Sqlite>) -> Self {
        Self { inner, calls: Mutex::default(), faults: Mutex::default() }
    }

    /// Has the `call`th call of `method` from now on go wrong: 1 is the next one.
    pub fn script(&self, method: &'static str, call: u64, fault: MetadataFault) {
        let number = self.calls.lock().unwrap().get(method).copied().unwrap_or(0) + call;
        self.faults.lock().unwrap().insert((method, number), fault);
    }

    /// Holds the reply of the next call of `method`: gives what tells that its work is done, and what lets
    /// it reply.
    pub fn hold(&self, method: &'static str) -> (Receiver<()>, Sender<()>) {
        let ((reached, is_reached), (go_on, may_go_on)) = (channel(), channel());
        self.script(method, 1, MetadataFault::Hold(reached, may_go_on));
        (is_reached, go_on)
    }

    /// How often each method was called.
    pub fn calls(&self) -> Vec<(&'static str, u64)> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|(method, count)| (*method, *count)).collect()
    }

    pub(crate) async fn call<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(method).or_default();
            *count += 1;
            *count
        };
        let fault = self.faults.lock().unwrap().remove(&(method, number));
        let reason = || format!("on purpose: {method}");
        match fault {
            None => work.await,
            Some(MetadataFault::Fail) => Err(StoreError::Unavailable(reason())),
            Some(MetadataFault::Delay) => Err(StoreError::Uncertain(reason())),
            Some(MetadataFault::LoseReply) => {
                work.await?;
                Err(StoreError::Uncertain(reason()))
            }
            Some(MetadataFault::Hold(reached, go_on)) => {
                let reply = work.await;
                reached.send(()).unwrap();
                go_on.await.unwrap();
                reply
            }
        }
    }
}

/// Each method, under its own name.
macro_rules! delegate {
    ($($trait:ident { $($method:ident($($argument:ident: $type:ty),*) -> $reply:ty;)* })*) => { $(
        #[async_trait]
        impl $trait for FaultyMetadata {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$reply> {
                self.call(stringify!($method), self.inner.$method($($argument),*)).await
            })*
        }
    )* };
}

delegate! {
    Repositories {
        list_repositories(after: Option<String>, limit: usize) -> Vec<RepositoryName>;
        check() -> ();
    }
    Memberships {
        find_blob(repository: RepositoryName, digest: Digest) -> Option<FoundBlob>;
        keep_blob(keep: KeepBlob) -> bool;
        mount_blob(mount: MountBlob) -> bool;
        remove_blob(removal: RemoveBlob) -> RemoveOutcome;
    }
    Uploads {
        start_upload(start: StartUpload) -> bool;
        hold_upload(hold: HoldUpload) -> bool;
        find_upload(repository: RepositoryName, id: UploadId) -> Option<Upload>;
        resume_upload(repository: RepositoryName, id: UploadId) -> Option<Upload>;
        record_progress(progress: Progress) -> bool;
        touch_upload(id: UploadId, lifetime: Duration) -> bool;
        reserve_blob(reservation: ReserveBlob) -> ReserveOutcome;
        finish_upload(finish: FinishUpload) -> FinishOutcome;
        cancel_upload(id: UploadId) -> bool;
        expired_uploads(limit: usize) -> Vec<Upload>;
        known_uploads(ids: Vec<UploadId>) -> Vec<UploadId>;
        count_uploads() -> u64;
    }
    ManifestMetadata {
        find_manifest(repository: RepositoryName, reference: Reference) -> Option<StoredManifest>;
        commit_manifest(commit: CommitManifest) -> CommitOutcome;
        delete_manifest(deletion: DeleteManifest) -> DeleteOutcome;
        list_referrers(query: ListReferrers) -> Vec<Referrer>;
    }
    Tags {
        list_tags(repository: RepositoryName, after: Option<String>, limit: usize) -> Option<Vec<Tag>>;
        delete_tag(deletion: DeleteTag) -> DeleteOutcome;
        roll_back_tag(back: RollBackTag) -> RollBackOutcome;
    }
    TagHistory {
        list_changes(query: ListChanges) -> Option<Vec<TagChange>>;
        tag_as_of(repository: RepositoryName, tag: Tag, at: Timestamp) -> AsOf<Stood>;
        tags_as_of(repository: RepositoryName, at: Timestamp, after: Option<String>, limit: usize) -> AsOf<Vec<TagThen>>;
    }
    Pins {
        pin_manifest(pin: PinManifest) -> PinOutcome;
        unpin_manifest(unpin: UnpinManifest) -> bool;
        list_pins(repository: RepositoryName, after: Option<String>, limit: usize) -> Option<Vec<Pin>>;
    }
    Trash {
        list_deleted(query: ListDeleted) -> Option<Vec<DeletedManifest>>;
        restore(restore: Restore) -> RestoreOutcome;
    }
    DeletedRepositories {
        delete_repository(deletion: DeleteRepository) -> RepositoryDeletion;
        list_deleted_repositories(query: ListDeletedRepositories) -> Vec<DeletedRepository>;
        restore_repository(restore: RestoreRepository) -> RepositoryRestoration;
    }
}
