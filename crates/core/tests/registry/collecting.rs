//! Collections whose commits are not heard of: what they may have taken away is served by no cache. And how fast they delete.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;
use wharf_core::blobs::{Blobs, ObjectKey};
use wharf_core::metadata::{
    Accounts, Change, ChangeRequest, Fate, Garbage, GarbageCounts, Going, GoingRepository,
    HeldPlace, Judged, ManifestRules, MarkedBlob, Purged, SetWrites, StagedUpload, Taken, Unneeded,
};
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_core::{Collected, GarbageRules, StoreError, UploadId};
use wharf_oci::{Digest, RepositoryName};

use crate::faulty_metadata::{FaultyMetadata, MetadataFault};
use crate::stand::{Stand, content, digest};

type Result<T> = std::result::Result<T, StoreError>;

/// Everything that nothing needs goes at once.
const AT_ONCE: GarbageRules = GarbageRules {
    grace: Duration::ZERO,
    untagged_after: Some(Duration::ZERO),
    deletes_per_second: None,
};

#[async_trait]
impl Garbage for FaultyMetadata {
    fn moment(&self) -> Duration {
        self.inner.moment()
    }

    async fn sweep_memberships(
        &self,
        after: Option<HeldPlace>,
        grace: Duration,
        limit: usize,
    ) -> Result<Taken> {
        let work = self.inner.sweep_memberships(after, grace, limit);
        self.call("sweep_memberships", work).await
    }

    async fn condemn_blobs(&self, grace: Duration, limit: usize) -> Result<Judged> {
        self.call("condemn_blobs", self.inner.condemn_blobs(grace, limit)).await
    }

    async fn condemned_blobs(
        &self,
        after: Option<ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>> {
        self.call("condemned_blobs", self.inner.condemned_blobs(after, limit)).await
    }

    async fn confirm_deleted(&self, keys: Vec<ObjectKey>) -> Result<u64> {
        self.call("confirm_deleted", self.inner.confirm_deleted(keys)).await
    }

    async fn forget_deleted(&self, latest: Duration, limit: usize) -> Result<u64> {
        self.call("forget_deleted", self.inner.forget_deleted(latest, limit)).await
    }

    async fn settle(&self) -> Result<()> {
        self.call("settle", self.inner.settle()).await
    }

    async fn collected_repositories(
        &self,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>> {
        let work = self.inner.collected_repositories(after, limit);
        self.call("collected_repositories", work).await
    }

    async fn empty_trash(&self, rules: ManifestRules, limit: usize) -> Result<Taken> {
        self.call("empty_trash", self.inner.empty_trash(rules, limit)).await
    }

    async fn purge_repositories(&self, grace: Duration, limit: usize) -> Result<Purged> {
        self.call("purge_repositories", self.inner.purge_repositories(grace, limit)).await
    }

    async fn collect_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Taken> {
        let work = self.inner.collect_manifests(after, rules, limit);
        self.call("collect_manifests", work).await
    }

    async fn plan_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Going> {
        self.call("plan_manifests", self.inner.plan_manifests(after, rules, limit)).await
    }

    async fn list_trash(&self, after: Option<HeldPlace>, limit: usize) -> Result<Going> {
        self.call("list_trash", self.inner.list_trash(after, limit)).await
    }

    async fn explain_manifest(
        &self,
        repository: RepositoryName,
        digest: Digest,
        rules: ManifestRules,
    ) -> Result<Fate> {
        let work = self.inner.explain_manifest(repository, digest, rules);
        self.call("explain_manifest", work).await
    }

    async fn list_marked(&self, after: Option<ObjectKey>, limit: usize) -> Result<Vec<MarkedBlob>> {
        self.call("list_marked", self.inner.list_marked(after, limit)).await
    }

    async fn list_going_repositories(
        &self,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<GoingRepository>> {
        let work = self.inner.list_going_repositories(after, limit);
        self.call("list_going_repositories", work).await
    }

    async fn list_unneeded(&self, after: Option<HeldPlace>, limit: usize) -> Result<Unneeded> {
        self.call("list_unneeded", self.inner.list_unneeded(after, limit)).await
    }

    async fn list_staged(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<StagedUpload>> {
        self.call("list_staged", self.inner.list_staged(after, limit)).await
    }

    async fn count_garbage(&self, limit: usize) -> Result<GarbageCounts> {
        self.call("count_garbage", self.inner.count_garbage(limit)).await
    }
}

/// Says for all of the registry what may be written.
async fn set_writes(stand: &Stand, mode: WriteMode) {
    let change = SetWrites { scope: WriteScope::All, mode, reason: None }.into();
    let request = ChangeRequest { change, by: "user:ada".into(), once: None };
    assert_eq!(stand.metadata.inner.change(request).await.unwrap(), Change::Done);
}

/// Those of these blobs whose objects the store has.
async fn stored(stand: &Stand, blobs: &[Bytes]) -> usize {
    let mut stored = 0;
    for bytes in blobs {
        let key = ObjectKey { digest: digest(bytes), incarnation: 0 };
        stored += usize::from(stand.blobs.inner().head(&key).await.unwrap().is_some());
    }
    stored
}

/// An index of this manifest.
fn index(child: Digest) -> Bytes {
    let image = "application/vnd.oci.image.manifest.v1+json";
    let child = json!({ "mediaType": image, "digest": child, "size": 1 });
    let index = "application/vnd.oci.image.index.v1+json";
    json!({ "schemaVersion": 2, "mediaType": index, "manifests": [child] }).to_string().into()
}

/// The repository holds no manifest after that: no list of those that clients see has it.
#[tokio::test]
async fn what_a_lost_collection_took_is_served_by_no_cache() {
    let stand = Stand::new();
    let manifest = stand.tag("a", "one", &[]).await.to_string();
    stand.manifest("a", &manifest).await.expect("it is in the cache now");
    stand.metadata.script("collect_manifests", 1, MetadataFault::LoseReply);
    let lost = stand.registry.collect_manifests(&*stand.metadata, &AT_ONCE).await;
    assert!(matches!(lost, Err(StoreError::Uncertain(_))), "{lost:?}");
    assert!(stand.manifest("a", &manifest).await.is_none());
}

/// What a deleted index leaves behind.
#[tokio::test]
async fn what_a_lost_emptying_of_the_trash_took_is_served_by_no_cache() {
    let stand = Stand::new();
    let child = stand.tag("a", "one", &[]).await;
    let parent = stand.put("a", index(child), &[]).await;
    stand.delete_manifest("a", &parent.to_string()).await.unwrap();
    stand.manifest("a", &child.to_string()).await.expect("it is in the cache now");
    stand.metadata.script("empty_trash", 1, MetadataFault::LoseReply);
    let lost = stand.registry.collect_garbage(&*stand.metadata, &AT_ONCE).await;
    assert!(matches!(lost, Err(StoreError::Uncertain(_))), "{lost:?}");
    assert!(stand.manifest("a", &child.to_string()).await.is_none());
}

#[tokio::test]
async fn what_a_lost_sweep_took_is_served_by_no_cache() {
    let stand = Stand::new();
    let bytes = content(100, 1);
    stand.push("a", &bytes).await.unwrap();
    stand.pull("a", digest(&bytes)).await.expect("its place is in the cache now");
    stand.metadata.script("sweep_memberships", 1, MetadataFault::LoseReply);
    let lost = stand.registry.collect_garbage(&*stand.metadata, &AT_ONCE).await;
    assert!(matches!(lost, Err(StoreError::Uncertain(_))), "{lost:?}");
    assert!(stand.pull("a", digest(&bytes)).await.is_none());
}

/// Until then, who asks fills the cache with what there is still.
#[tokio::test]
async fn caches_are_told_once_a_late_commit_shows() {
    let stand = Stand::new();
    let manifest = stand.tag("a", "one", &[]).await.to_string();
    stand.metadata.script("collect_manifests", 1, MetadataFault::Delay);
    let (waits, go_on) = stand.metadata.hold("settle");
    let late = async {
        waits.await.unwrap();
        stand.manifest("a", &manifest).await.expect("it is there, and in the cache from now on");
        let rules = ManifestRules { grace: Duration::ZERO, untagged_after: AT_ONCE.untagged_after };
        let taken = stand.metadata.inner.collect_manifests(None, rules, 10).await.unwrap();
        assert_eq!(taken.count, 1);
        go_on.send(()).unwrap();
    };
    let collection = stand.registry.collect_manifests(&*stand.metadata, &AT_ONCE);
    let (lost, ()) = tokio::join!(collection, late);
    assert!(matches!(lost, Err(StoreError::Uncertain(_))), "{lost:?}");
    assert!(stand.manifest("a", &manifest).await.is_none());
}

/// As it is, as a rule, when a reply is lost: the list of repositories is asked for again.
#[tokio::test(start_paused = true)]
async fn caches_are_told_once_the_database_is_back() {
    let stand = Stand::new();
    let manifest = stand.tag("a", "one", &[]).await.to_string();
    stand.manifest("a", &manifest).await.expect("it is in the cache now");
    stand.metadata.script("collect_manifests", 1, MetadataFault::LoseReply);
    for call in 1..=3 {
        stand.metadata.script("collected_repositories", call, MetadataFault::Fail);
    }
    let lost = stand.registry.collect_manifests(&*stand.metadata, &AT_ONCE).await;
    assert!(matches!(lost, Err(StoreError::Uncertain(_))), "{lost:?}");
    assert!(stand.manifest("a", &manifest).await.is_none());
}

/// It ends in the middle of its deletes: what was sent is confirmed, nothing more is sent, and the next collection goes on with the rest.
#[tokio::test(start_paused = true)]
async fn a_collection_under_way_deletes_nothing_more_once_all_is_read_only() {
    let stand = Stand::new();
    let blobs = [content(100, 1), content(100, 2), content(100, 3)];
    for bytes in &blobs {
        stand.push("a", bytes).await.unwrap();
    }
    let slowly = GarbageRules { deletes_per_second: NonZeroU32::new(1), ..AT_ONCE };
    let (listed, go_on) = stand.metadata.hold("condemned_blobs");
    let collection = stand.registry.collect_garbage(&*stand.metadata, &slowly);
    let closing = async {
        listed.await.unwrap();
        set_writes(&stand, WriteMode::ReadOnly).await;
        go_on.send(()).unwrap();
    };
    let (collected, ()) = tokio::join!(collection, closing);
    let expected = Collected { memberships: 3, condemned: 3, deleted: 1, ..Collected::default() };
    assert_eq!(collected.unwrap(), expected);
    assert_eq!(stored(&stand, &blobs).await, 2);
    let meanwhile = stand.registry.collect_garbage(&*stand.metadata, &AT_ONCE).await;
    assert_eq!(meanwhile.unwrap(), Collected::default());
    assert_eq!(stored(&stand, &blobs).await, 2);
    set_writes(&stand, WriteMode::Writable).await;
    let rest = stand.registry.collect_garbage(&*stand.metadata, &AT_ONCE).await;
    assert_eq!(rest.unwrap(), Collected { deleted: 2, ..Collected::default() });
    assert_eq!(stored(&stand, &blobs).await, 0);
}

/// How long it takes to collect thirty blobs, by the clock of the runtime, which goes on only while all wait for it.
async fn time_of_thirty(deletes_per_second: Option<NonZeroU32>) -> Duration {
    let stand = Stand::new();
    for seed in 0..30 {
        stand.push("a", &content(100, seed)).await.unwrap();
    }
    let rules = GarbageRules { deletes_per_second, ..AT_ONCE };
    let began = Instant::now();
    let collected = stand.registry.collect_garbage(&*stand.metadata, &rules).await.unwrap();
    assert_eq!((collected.condemned, collected.deleted, collected.failed), (30, 30, 0));
    assert_eq!(stand.blobs.inner().counts(), (0, 0), "all went");
    began.elapsed()
}

/// So that pulls do not feel it: ten at once, ten a second later, and ten after two seconds; then it is seen that no more is left.
#[tokio::test(start_paused = true)]
async fn objects_are_deleted_no_faster_than_asked() {
    let took = time_of_thirty(NonZeroU32::new(10)).await;
    let bounds = Duration::from_secs(2)..=Duration::from_secs(4);
    assert!(bounds.contains(&took), "{took:?}");
    let unlimited = time_of_thirty(None).await;
    assert!(unlimited < Duration::from_secs(1), "{unlimited:?}");
}

/// One request deletes them, and the writer has time for others in between.
#[tokio::test]
async fn what_was_deleted_is_confirmed_step_by_step() {
    let stand = Stand::new();
    for seed in 0..120 {
        stand.push("a", &content(100, seed)).await.unwrap();
    }
    let collected = stand.registry.collect_garbage(&*stand.metadata, &AT_ONCE).await.unwrap();
    assert_eq!((collected.deleted, collected.failed), (120, 0));
    let calls = stand.metadata.calls();
    let confirmed = calls.iter().find(|(method, _)| *method == "confirm_deleted").unwrap();
    assert_eq!(confirmed.1, 2, "a hundred, and the rest");
}
