//! What the cache spares the database when few images are pulled often and many seldom, and that it tells no lie.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use wharf_blobs::MemoryBlobs;
use wharf_cache::{Answer, Beliefs, CacheStatus, SharedCache, SharedCacheSettings};
use wharf_core::cache::{Cache, Epoch, Epochs, Key, Kind, Lookup};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::*;
use wharf_core::operation::{PullManifest, PutManifest};
use wharf_core::permissions::{Caller, Everyone, Principal};
use wharf_core::{Parts, PushManifest, Registry, Rules, StoreError, UploadId};
use wharf_oci::{Digest, MediaType, Reference, RepositoryName, Tag};

const IMAGES: usize = 10_000;
const PULLS: usize = 30_000;
const PULLS_A_PUSH: usize = 100;
const NODES: usize = 3;

type Reply<T> = Result<T, StoreError>;

/// Where each repository's only tag stands, and how often that was asked for.
#[derive(Default)]
struct Counted {
    tags: Mutex<HashMap<RepositoryName, StoredManifest>>,
    reads: AtomicU64,
}

#[async_trait]
impl ManifestMetadata for Counted {
    async fn find_manifest(
        &self,
        repository: RepositoryName,
        _: Reference,
    ) -> Reply<Option<StoredManifest>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(self.tags.lock().unwrap().get(&repository).cloned())
    }

    async fn commit_manifest(&self, commit: CommitManifest) -> Reply<CommitOutcome> {
        let CommitManifest { repository, digest, payload, .. } = commit;
        let stored = StoredManifest { digest, media_type: MediaType::ALL[0], payload };
        self.tags.lock().unwrap().insert(repository, stored);
        Ok(CommitOutcome::Committed)
    }

    async fn delete_manifest(&self, _: DeleteManifest) -> Reply<DeleteOutcome> {
        unused()
    }

    async fn list_referrers(&self, _: ListReferrers) -> Reply<Vec<Referrer>> {
        unused()
    }
}

fn unused<T>() -> Reply<T> {
    Err(StoreError::Unavailable("no part of this test".into()))
}

macro_rules! unused {
    ($($of:ident { $($method:ident($($argument:ty),*) -> $reply:ty;)* })*) => {$(
        #[async_trait]
        impl $of for Counted {
            $(async fn $method(&self, $(_: $argument),*) -> Reply<$reply> { unused() })*
        }
    )*};
}

unused! {
    Repositories {
        list_repositories(Option<String>, usize) -> Vec<RepositoryName>;
        check() -> ();
    }
    Memberships {
        find_blob(RepositoryName, Digest) -> Option<FoundBlob>;
        keep_blob(KeepBlob) -> bool;
        mount_blob(MountBlob) -> bool;
        remove_blob(RemoveBlob) -> RemoveOutcome;
    }
    Uploads {
        start_upload(StartUpload) -> bool;
        hold_upload(HoldUpload) -> bool;
        find_upload(RepositoryName, UploadId) -> Option<Upload>;
        resume_upload(RepositoryName, UploadId) -> Option<Upload>;
        record_progress(Progress) -> bool;
        touch_upload(UploadId, Duration) -> bool;
        reserve_blob(ReserveBlob) -> ReserveOutcome;
        finish_upload(FinishUpload) -> FinishOutcome;
        cancel_upload(UploadId) -> bool;
        expired_uploads(usize) -> Vec<Upload>;
        known_uploads(Vec<UploadId>) -> Vec<UploadId>;
        count_uploads() -> u64;
    }
    Tags {
        list_tags(RepositoryName, Option<String>, usize) -> Option<Vec<Tag>>;
        delete_tag(DeleteTag) -> DeleteOutcome;
        roll_back_tag(RollBackTag) -> RollBackOutcome;
    }
    TagHistory {
        list_changes(ListChanges) -> Option<Vec<TagChange>>;
        tag_as_of(RepositoryName, Tag, Timestamp) -> AsOf<Stood>;
        tags_as_of(RepositoryName, Timestamp, Option<String>, usize) -> AsOf<Vec<TagThen>>;
    }
    Pins {
        pin_manifest(PinManifest) -> PinOutcome;
        unpin_manifest(UnpinManifest) -> bool;
        list_pins(RepositoryName, Option<String>, usize) -> Option<Vec<Pin>>;
    }
    Trash {
        list_deleted(ListDeleted) -> Option<Vec<DeletedManifest>>;
        restore(Restore) -> RestoreOutcome;
    }
    DeletedRepositories {
        delete_repository(DeleteRepository) -> RepositoryDeletion;
        list_deleted_repositories(ListDeletedRepositories) -> Vec<DeletedRepository>;
        restore_repository(RestoreRepository) -> RepositoryRestoration;
    }
}

/// An epoch of this test's own, which nothing ends.
struct Always(i64);

#[async_trait]
impl Epochs for Always {
    async fn epoch(&self) -> Reply<Epoch> {
        Ok(Epoch { number: self.0, since: Duration::from_secs(60) })
    }

    async fn advance_epoch(&self, _: i64) -> Reply<()> {
        unused()
    }
}

/// A node, and the numbers of its cache.
struct Node {
    registry: Registry,
    cache: Arc<SharedCache>,
}

impl Node {
    async fn start(metadata: &Arc<Counted>, epochs: &Arc<Always>) -> Self {
        let settings = SharedCacheSettings {
            url: wharf_engines::redis().parse().unwrap(),
            time_limit: Duration::from_secs(2),
            // Room for some of the images only, so that Redis is asked for the others.
            memory: 2 << 20,
            beliefs: Beliefs { eventual: Vec::new(), eventual_life: Duration::ZERO },
        };
        let cache = Arc::new(SharedCache::new(settings, Arc::clone(epochs) as _).unwrap());
        let began = Instant::now();
        loop {
            let key = Key::Manifest(image(0), "latest".parse().unwrap());
            if matches!(cache.get(key).await, Lookup::Miss(ticket) if ticket.shared != 0) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "Redis is never used");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let parts = Parts::new(
            Arc::clone(metadata) as _,
            Arc::new(MemoryBlobs::new()),
            Arc::clone(&cache) as _,
            Arc::new(Everyone),
        );
        Self { registry: Registry::new(parts, Rules::default()), cache }
    }

    async fn push(&self, number: usize, round: u64) {
        let config = "application/vnd.oci.image.config.v1+json";
        let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let payload = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": config, "digest": empty, "size": 2 },
            "layers": [],
            "annotations": { "round": round.to_string() },
        });
        let reference = "latest".parse().unwrap();
        let operation = PutManifest { repository: image(number), reference, tags: Vec::new() };
        let operation =
            self.registry.permit(Caller::new(Principal::Anonymous), operation).await.unwrap();
        let push = PushManifest {
            payload: payload.to_string().into(),
            content_type: None,
            precondition: Precondition::None,
        };
        self.registry.push_manifest(&operation, push).await.unwrap();
    }

    /// The round of the manifest that the tag is at.
    async fn pull(&self, number: usize) -> u64 {
        let reference = "latest".parse().unwrap();
        let operation = PullManifest { repository: image(number), reference };
        let operation =
            self.registry.permit(Caller::new(Principal::Anonymous), operation).await.unwrap();
        let manifest = self.registry.pull_manifest(&operation).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&manifest.payload).unwrap();
        document["annotations"]["round"].as_str().unwrap().parse().unwrap()
    }
}

fn image(number: usize) -> RepositoryName {
    format!("team/image-{number}").parse().unwrap()
}

/// Numbers below [`IMAGES`], each as often as Zipf's law says: the second half as often as the first, and so on.
struct Zipf {
    sums: Vec<f64>,
    state: u64,
}

impl Zipf {
    fn new(seed: u64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=IMAGES).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { sums: sums.collect(), state: seed }
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn next(&mut self) -> usize {
        let part = (self.random() >> 11) as f64 / (1_u64 << 53) as f64;
        let at = part * self.sums[IMAGES - 1];
        self.sums.partition_point(|sum| *sum < at).min(IMAGES - 1)
    }
}

/// Once each image was pulled: without caches every pull is a read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nineteen_of_twenty_reads_are_spared_and_no_pull_is_older_than_what_was_acknowledged() {
    let metadata = Arc::new(Counted::default());
    let mut zipf = Zipf::new(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    let epochs = Arc::new(Always(i64::try_from(zipf.random() >> 2).unwrap() & !1));
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start(&metadata, &epochs).await);
    }
    let acknowledged: Vec<AtomicU64> = (0..IMAGES).map(|_| AtomicU64::new(0)).collect();
    let pushing: Vec<_> = (0..IMAGES).map(|_| tokio::sync::Mutex::new(())).collect();
    let (nodes, acknowledged, pushing) = (&nodes, &acknowledged, &pushing);
    let each = stream::iter(0..IMAGES);
    each.for_each_concurrent(16, |number| async move {
        nodes[number % NODES].push(number, 0).await;
        assert_eq!(nodes[(number + 1) % NODES].pull(number).await, 0);
    })
    .await;

    let before = metadata.reads.load(Ordering::SeqCst);
    let mix: Vec<_> = (0..PULLS + PULLS / PULLS_A_PUSH)
        .map(|turn| (turn % (PULLS_A_PUSH + 1) == 0, zipf.next(), zipf.random() as usize % NODES))
        .collect();
    let pushes = mix.iter().filter(|(is_push, ..)| *is_push).count();
    let turns = stream::iter(mix);
    turns
        .for_each_concurrent(16, |(is_push, number, node)| async move {
            if is_push {
                let _alone = pushing[number].lock().await;
                let round = acknowledged[number].load(Ordering::SeqCst) + 1;
                nodes[node].push(number, round).await;
                acknowledged[number].store(round, Ordering::SeqCst);
            } else {
                let least = acknowledged[number].load(Ordering::SeqCst);
                let seen = nodes[node].pull(number).await;
                assert!(seen >= least, "round {seen} after {least} was acknowledged");
            }
        })
        .await;
    let reads = metadata.reads.load(Ordering::SeqCst) - before;
    let share = reads as f64 / PULLS as f64;
    println!("{PULLS} pulls and {pushes} pushes on {NODES} nodes: {reads} reads ({share:.4})");
    assert!(share <= 0.05, "{reads} reads for {PULLS} pulls");
    let from_redis: u64 =
        nodes.iter().map(|node| node.cache.counters().get(Kind::Manifest, Answer::Redis)).sum();
    assert!(from_redis > 0, "memory alone held it all: Redis was not tried");
}
