//! Stores that hold nothing and count how often they are touched, and permissions that note what they are asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_blobs::{FaultyBlobs, MemoryBlobs, Method};
use wharf_core::cache::{Cache, Key, Kind, Lookup, Ticket};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::*;
use wharf_core::operation::Requirement;
use wharf_core::permissions::{Caller, Permissions, Sources};
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

/// What one test watches.
pub struct Watched {
    pub allows: bool,
    pub blobs: Arc<FaultyBlobs<MemoryBlobs>>,
    touches: AtomicU64,
    asked: Mutex<Vec<Asked>>,
}

/// A question to the permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The requirement, as [`shown`] writes it.
    pub requirement: String,
    /// How often stores had been touched before.
    pub touched_before: u64,
}

/// A requirement as text.
pub fn shown(requirement: Requirement<'_>) -> String {
    format!("{requirement:?}")
}

impl Watched {
    pub fn new(allows: bool) -> Arc<Watched> {
        let blobs = Arc::new(FaultyBlobs::new(MemoryBlobs::new()));
        Arc::new(Watched { allows, blobs, touches: AtomicU64::new(0), asked: Mutex::default() })
    }

    /// How often any store was touched.
    pub fn touches(&self) -> u64 {
        const METHODS: [Method; 9] = [
            Method::Head,
            Method::Read,
            Method::Stage,
            Method::Append,
            Method::ReadStaged,
            Method::Finish,
            Method::Discard,
            Method::Delete,
            Method::Check,
        ];
        let blobs: u64 = METHODS.into_iter().map(|method| self.blobs.calls(method)).sum();
        blobs + self.touches.load(Ordering::SeqCst)
    }

    pub fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap()
    }

    fn touch(&self) {
        self.touches.fetch_add(1, Ordering::SeqCst);
    }
}

/// The permissions of what is watched.
pub struct Asking(pub Arc<Watched>);

/// The metadata and the cache of what is watched.
pub struct Touched(pub Arc<Watched>);

#[async_trait]
impl Permissions for Asking {
    async fn allows(&self, _: &Caller, needed: Requirement<'_>) -> Result<bool, StoreError> {
        let touched_before = self.0.touches();
        self.0.asked().push(Asked { requirement: shown(needed), touched_before });
        Ok(self.0.allows)
    }

    fn sources(&self, _: &Caller) -> Sources {
        Sources::Any
    }
}

#[async_trait]
impl Cache for Touched {
    async fn get(&self, key: Key) -> Lookup {
        self.0.touch();
        Lookup::Miss(Ticket { key, version: 0, shared: 0 })
    }

    async fn put(&self, _: Ticket, _: Bytes, _: Duration) {
        self.0.touch();
    }

    async fn put_absence(&self, _: Ticket, _: Duration) {
        self.0.touch();
    }

    async fn last_known(&self, _: Key) -> Option<Bytes> {
        self.0.touch();
        None
    }

    async fn invalidate(&self, _: &RepositoryName, _: Kind) -> Result<(), StoreError> {
        self.0.touch();
        Ok(())
    }

    fn forget(&self, _: &RepositoryName, _: Kind) {
        self.0.touch();
    }
}

/// Writes each method as a touch with a reply that says that nothing is there.
macro_rules! touched {
    ($($of:ident { $($method:ident($($argument:ty),*) -> $reply:ty = $value:expr;)* })*) => {$(
        #[async_trait]
        impl $of for Touched {
            $(async fn $method(&self, $(_: $argument),*) -> Result<$reply, StoreError> {
                self.0.touch();
                Ok($value)
            })*
        }
    )*};
}

touched! {
    Repositories {
        list_repositories(Option<String>, usize) -> Vec<RepositoryName> = Vec::new();
        check() -> () = ();
    }
    Memberships {
        find_blob(RepositoryName, Digest) -> Option<FoundBlob> = None;
        keep_blob(KeepBlob) -> bool = false;
        mount_blob(MountBlob) -> bool = false;
        remove_blob(RemoveBlob) -> RemoveOutcome = RemoveOutcome::NotHeld;
    }
    Uploads {
        start_upload(StartUpload) -> bool = false;
        hold_upload(HoldUpload) -> bool = true;
        find_upload(RepositoryName, UploadId) -> Option<Upload> = None;
        resume_upload(RepositoryName, UploadId) -> Option<Upload> = None;
        record_progress(Progress) -> bool = false;
        touch_upload(UploadId, Duration) -> bool = false;
        reserve_blob(ReserveBlob) -> ReserveOutcome = ReserveOutcome::NoUpload;
        finish_upload(FinishUpload) -> FinishOutcome = FinishOutcome::Lost;
        cancel_upload(UploadId) -> bool = false;
        expired_uploads(usize) -> Vec<Upload> = Vec::new();
        known_uploads(Vec<UploadId>) -> Vec<UploadId> = Vec::new();
        count_uploads() -> u64 = 0;
    }
    ManifestMetadata {
        find_manifest(RepositoryName, Reference) -> Option<StoredManifest> = None;
        commit_manifest(CommitManifest) -> CommitOutcome = CommitOutcome::Missing(Vec::new());
        delete_manifest(DeleteManifest) -> DeleteOutcome = DeleteOutcome::NotFound;
        list_referrers(ListReferrers) -> Vec<Referrer> = Vec::new();
    }
    Tags {
        list_tags(RepositoryName, Option<String>, usize) -> Option<Vec<Tag>> = None;
        delete_tag(DeleteTag) -> DeleteOutcome = DeleteOutcome::NotFound;
        roll_back_tag(RollBackTag) -> RollBackOutcome = RollBackOutcome::NotFound;
    }
    TagHistory {
        list_changes(ListChanges) -> Option<Vec<TagChange>> = None;
        tag_as_of(RepositoryName, Tag, Timestamp) -> AsOf<Stood> = AsOf::NoRepository;
        tags_as_of(RepositoryName, Timestamp, Option<String>, usize) -> AsOf<Vec<TagThen>> = AsOf::NoRepository;
    }
    Pins {
        pin_manifest(PinManifest) -> PinOutcome = PinOutcome::Refused(NoPin::Full);
        unpin_manifest(UnpinManifest) -> bool = false;
        list_pins(RepositoryName, Option<String>, usize) -> Option<Vec<Pin>> = None;
    }
    Trash {
        list_deleted(ListDeleted) -> Option<Vec<DeletedManifest>> = None;
        restore(Restore) -> RestoreOutcome = RestoreOutcome::NotDeleted;
    }
    DeletedRepositories {
        delete_repository(DeleteRepository) -> RepositoryDeletion = RepositoryDeletion::NoRepository;
        list_deleted_repositories(ListDeletedRepositories) -> Vec<DeletedRepository> = Vec::new();
        restore_repository(RestoreRepository) -> RepositoryRestoration = RepositoryRestoration::NotDeleted;
    }
}
