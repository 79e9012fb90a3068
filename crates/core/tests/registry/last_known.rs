//! A copy of the metadata: asked only while these are away, and never remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use wharf_cache::MemoryCache;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{LastKnown, ListReferrers as Query, Referrer, StoredManifest};
use wharf_core::operation::*;
use wharf_core::permissions::{Caller, Everyone, Permitted, Principal};
use wharf_core::{Error, Parts, Registry, Rules, StoreError};
use wharf_oci::{Digest, MediaType, Reference, RepositoryName, Tag};

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, digest, image, name};

/// A copy that has the repository `a` with one image over one blob, as of some time ago.
struct Copy {
    blob: Digest,
    asked: AtomicUsize,
}

impl Copy {
    fn about<T>(&self, repository: &RepositoryName, known: T) -> Option<T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        (*repository == name("a")).then_some(known)
    }

    fn manifest(&self) -> StoredManifest {
        let payload = image(self.blob);
        let media_type = MediaType::parse("application/vnd.oci.image.manifest.v1+json").unwrap();
        StoredManifest { digest: digest(&payload), media_type, payload }
    }
}

#[async_trait]
impl LastKnown for Copy {
    async fn last_manifest(&self, of: RepositoryName, _: Reference) -> Option<StoredManifest> {
        self.about(&of, self.manifest())
    }

    async fn last_blob(&self, of: RepositoryName, digest: Digest) -> Option<ObjectKey> {
        self.about(&of, ObjectKey { digest, incarnation: 0 })
    }

    async fn last_tags(&self, of: RepositoryName, _: Option<String>, _: usize) -> Option<Vec<Tag>> {
        self.about(&of, vec!["old".parse().unwrap()])
    }

    async fn last_referrers(&self, query: Query) -> Option<Vec<Referrer>> {
        self.about(&query.repository, Vec::new())
    }

    async fn last_repositories(&self, _: Option<String>, _: usize) -> Option<Vec<RepositoryName>> {
        self.about(&name("a"), vec![name("a")])
    }
}

/// A registry with such a copy, beside a stand whose metadata it shares.
struct Copied {
    stand: Stand,
    copy: Arc<Copy>,
    registry: Registry,
}

impl Copied {
    /// The repository `a` has moved on from the image that the copy has.
    async fn new() -> Self {
        let stand = Stand::new();
        stand.tag("a", "old", &["latest"]).await;
        stand.tag("a", "new", &["latest"]).await;
        let copy = Arc::new(Copy { blob: digest(b"old"), asked: AtomicUsize::new(0) });
        let parts = Parts {
            last_known: Some(copy.clone()),
            ..Parts::new(
                stand.metadata.clone(),
                stand.blobs.clone(),
                Arc::new(MemoryCache::new(16 << 20)),
                Arc::new(Everyone),
            )
        };
        let registry = Registry::new(parts, Rules::default());
        Self { stand, copy, registry }
    }

    async fn allowed<O: Operation>(&self, operation: O) -> Permitted<O> {
        self.registry.permit(Caller::new(Principal::Anonymous), operation).await.unwrap()
    }

    /// The metadata are away for the next call of `method`.
    fn lose(&self, method: &'static str) {
        self.stand.metadata.script(method, 1, MetadataFault::Fail);
    }

    async fn pull(&self, repository: &str) -> Result<Digest, Error> {
        let reference = "latest".parse().unwrap();
        let pull = self.allowed(PullManifest { repository: name(repository), reference }).await;
        Ok(self.registry.pull_manifest(&pull).await?.digest)
    }

    async fn find(&self, repository: &str, digest: Digest) -> Result<u64, Error> {
        let find = self.allowed(PullBlob { repository: name(repository), digest }).await;
        Ok(self.registry.find_blob(&find).await?.size())
    }

    fn asked(&self) -> usize {
        self.copy.asked.load(Ordering::SeqCst)
    }
}

fn is_away<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result.unwrap_err(), Error::Store(StoreError::Unavailable(_)))
}

#[tokio::test]
async fn what_a_copy_knew_is_served_while_the_metadata_are_away_and_never_after() {
    let copied = Copied::new().await;
    copied.lose("find_manifest");
    assert_eq!(copied.pull("a").await.unwrap(), digest(&image(digest(b"old"))));
    for _ in 0..2 {
        assert_eq!(copied.pull("a").await.unwrap(), digest(&image(digest(b"new"))));
    }
    copied.lose("find_blob");
    assert_eq!(copied.find("a", digest(b"old")).await.unwrap(), 3);
    assert_eq!(copied.asked(), 2);
    // Found anew: nothing of the copy's was kept.
    copied.lose("find_blob");
    copied.find("a", digest(b"old")).await.unwrap();
    assert_eq!(copied.asked(), 3);
}

#[tokio::test]
async fn lists_are_a_copys_while_the_metadata_are_away() {
    let copied = Copied::new().await;
    let tags = copied.allowed(ListTags { repository: name("a") }).await;
    let repositories = copied.allowed(ListRepositories {}).await;
    let subject = digest(b"old");
    let referrers = copied.allowed(ListReferrers { repository: name("a"), subject }).await;
    for (is_lost, expected) in [(true, "old"), (false, "latest")] {
        if is_lost {
            for method in ["list_tags", "list_repositories", "list_referrers"] {
                copied.lose(method);
            }
        }
        let found = copied.registry.list_tags(&tags, None, None).await.unwrap();
        assert_eq!(found.items[0].as_str(), expected);
        let found = copied.registry.list_repositories(&repositories, None, None).await.unwrap();
        assert_eq!(found.items, [name("a")]);
        let found = copied.registry.list_referrers(&referrers, None, None, None).await.unwrap();
        assert!(found.items.is_empty());
        assert_eq!(copied.asked(), 3);
    }
}

#[tokio::test]
async fn what_a_copy_does_not_know_may_be_there_all_the_same() {
    let copied = Copied::new().await;
    copied.lose("find_manifest");
    assert!(is_away(copied.pull("b").await));
    copied.lose("find_blob");
    assert!(is_away(copied.find("b", digest(b"old")).await));
    // The copy has it still, the store does not any more.
    copied.lose("find_blob");
    assert!(is_away(copied.find("a", digest(b"never pushed")).await));
    copied.lose("list_tags");
    let tags = copied.allowed(ListTags { repository: name("b") }).await;
    assert!(is_away(copied.registry.list_tags(&tags, None, None).await));
    // Without a copy nobody knows.
    copied.stand.metadata.script("find_manifest", 1, MetadataFault::Fail);
    let pull = PullManifest { repository: name("a"), reference: "latest".parse().unwrap() };
    let pull = copied.stand.allowed(pull).await;
    assert!(is_away(copied.stand.registry.pull_manifest(&pull).await));
}
