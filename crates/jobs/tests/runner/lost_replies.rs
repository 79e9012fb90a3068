//! A scrub whose replies from the database are lost on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CheckedBlob, CheckedManifest, Damage, FaultKind, FindingFilter, FinishRepair, FoundKind,
    HeldPlace, Integrity, NotedManifest, Pass, PassState, ReferencesChecked, ReleaseOutcome,
    RepairManifest, ScrubFinding, StartRepair,
};
use wharf_core::operation::PullBlob;
use wharf_core::permissions::{Caller, Principal};
use wharf_core::{Error, StoreError};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Digest, RepositoryName};

use crate::scrubbing::Node;

type Result<T> = std::result::Result<T, StoreError>;

/// A database that takes an object out of use and is not heard of; then it is away, and then all is well.
struct Unheard {
    inner: Arc<Database<Sqlite>>,
    asked: AtomicU32,
}

/// Each other method as it is.
macro_rules! delegate {
    ($($method:ident($($argument:ident: $type:ty),*) -> $reply:ty;)*) => {
        #[async_trait]
        impl Integrity for Unheard {
            async fn quarantine(&self, key: ObjectKey, damage: Damage) -> Result<bool> {
                match self.asked.fetch_add(1, Ordering::Relaxed) {
                    0 => {
                        assert!(self.inner.quarantine(key, damage).await?);
                        Err(StoreError::Uncertain("on purpose".into()))
                    }
                    1 => Err(StoreError::Unavailable("on purpose".into())),
                    _ => self.inner.quarantine(key, damage).await,
                }
            }

            $(async fn $method(&self, $($argument: $type),*) -> Result<$reply> {
                self.inner.$method($($argument),*).await
            })*
        }
    };
}

delegate! {
    mark_unexplained(found: Vec<ObjectKey>) -> Vec<ObjectKey>;
    held_blobs(after: Option<Digest>, up_to: Option<Digest>, limit: usize) -> Vec<CheckedBlob>;
    quarantined_blobs(after: Option<Digest>, limit: usize) -> Vec<CheckedBlob>;
    note_unreadable(key: ObjectKey, reason: String) -> bool;
    note_sound(key: ObjectKey) -> bool;
    objects_of(digest: Digest) -> Vec<ObjectKey>;
    start_repair(start: StartRepair) -> bool;
    finish_repair(finish: FinishRepair) -> bool;
    stored_manifests(after: Option<Digest>, limit: usize, most: u64) -> Vec<CheckedManifest>;
    note_damaged_manifest(digest: Digest) -> NotedManifest;
    note_sound_manifest(digest: Digest) -> ();
    manifest_holders(digest: Digest, limit: usize) -> Vec<RepositoryName>;
    repair_manifest(repair: RepairManifest) -> bool;
    holders(digest: Digest, after: Option<i64>, limit: usize) -> Vec<(i64, RepositoryName)>;
    check_references(after: Option<HeldPlace>, limit: usize) -> ReferencesChecked;
    resolve_findings() -> u64;
    begin_pass(pass: Pass) -> PassState;
    record_pass(pass: Pass, state: PassState, end: bool) -> ();
    passes() -> Vec<(Pass, PassState)>;
    list_scrub_findings(which: FindingFilter, after: Option<i64>, limit: usize) -> Vec<ScrubFinding>;
    count_findings() -> Vec<(FoundKind, u64)>;
    release(digest: Digest, by: Actor, grace: Duration) -> ReleaseOutcome;
}

impl Node {
    /// What a client is answered who asks for a blob.
    async fn find(&self, digest: Digest) -> std::result::Result<(), Error> {
        let operation = PullBlob { repository: "a".parse().unwrap(), digest };
        let (registry, caller) = (&self.scrubber.registry, Caller::new(Principal::Anonymous));
        let operation = registry.permit(caller, operation).await.unwrap();
        registry.find_blob(&operation).await.map(drop)
    }
}

#[tokio::test]
async fn no_cache_serves_what_was_taken_out_of_use_unheard_of() {
    let mut node = Node::new();
    let inner = node.database.clone();
    node.scrubber.integrity = Arc::new(Unheard { inner, asked: AtomicU32::new(0) });
    let key = node.hold(b"a flipped bit", Some(b"a flipped biu")).await;
    node.find(key.digest).await.expect("its place is in the cache now");
    let (done, _) = node.scrub(Pass::Contents).await;
    assert_eq!(done.found.into_iter().collect::<Vec<_>>(), [(FaultKind::WrongDigest, 1)]);
    let found = node.find(key.digest).await;
    assert!(matches!(found, Err(Error::NotFound(_))), "{found:?}");
}
