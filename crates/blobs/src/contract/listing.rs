//! Rules of listing objects: all of them, each once, in the order of their digests.

use std::time::{Duration, SystemTime};

use wharf_core::blobs::{Blobs, ObjectKey, StoredObject, StoredObjects, StoredPage};
use wharf_oci::{Algorithm, Digest, Hasher};

use super::stand::{content, deleted, pushed, staged, upload};

/// All objects, listed in pages of about `limit`.
async fn listed(store: &dyn StoredObjects, limit: usize) -> Vec<StoredObject> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let StoredPage { objects, unknown, up_to } =
            store.list_objects(after, limit).await.unwrap();
        assert_eq!(unknown, 0);
        if let Some(up_to) = up_to {
            assert!(after < Some(up_to), "it goes on");
            assert_eq!(objects.last().map(|last| last.key.digest), Some(up_to));
        }
        all.extend(objects);
        after = up_to;
        if after.is_none() {
            return all;
        }
    }
}

async fn put(blobs: &impl Blobs, seed: u64, algorithm: Algorithm, incarnation: u32) -> ObjectKey {
    let (bytes, upload) = (content(100 + seed as usize, seed), upload());
    let key = ObjectKey { digest: Hasher::digest(algorithm, &bytes), incarnation };
    let staged = staged(blobs, &upload, &[bytes]).await;
    blobs.finish(&upload, &staged, &key).await.unwrap();
    key
}

/// And says that this was all.
pub async fn an_empty_store_lists_nothing<B: Blobs + StoredObjects>(blobs: &B) {
    assert_eq!(blobs.list_objects(None, 10).await.unwrap(), StoredPage::default());
    let behind = Hasher::digest(Algorithm::Sha512, b"any");
    assert_eq!(blobs.list_objects(Some(behind), 10).await.unwrap(), StoredPage::default());
}

/// And with a time that is about now.
pub async fn objects_are_listed_with_their_sizes_and_what_is_staged_is_not<
    B: Blobs + StoredObjects,
>(
    blobs: &B,
) {
    let key = pushed(blobs, &content(12_345, 1)).await;
    staged(blobs, &upload(), &[content(1000, 2)]).await;
    let found = listed(blobs, 10).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].key, found[0].size), (key, 12_345));
    let age = SystemTime::now().duration_since(found[0].modified).unwrap_or_default();
    assert!(age < Duration::from_secs(600), "{age:?}");
}

/// Of both algorithms, and with more incarnations than a page is long.
pub async fn pages_hold_whole_digests_and_go_on_behind_them<B: Blobs + StoredObjects>(blobs: &B) {
    let mut keys = Vec::new();
    for seed in 1..=9 {
        keys.push(put(blobs, seed, Algorithm::Sha256, 0).await);
    }
    for incarnation in [0, 2, 10] {
        keys.push(put(blobs, 20, Algorithm::Sha256, incarnation).await);
    }
    for seed in 1..=3 {
        keys.push(put(blobs, seed, Algorithm::Sha512, 1).await);
    }
    keys.sort_by_key(|key| (key.digest, key.incarnation));
    for limit in [1, 2, 5, 100] {
        let found: Vec<_> = listed(blobs, limit).await.iter().map(|object| object.key).collect();
        assert_eq!(found, keys, "in pages of {limit}");
    }
    let middle: Digest = keys[4].digest;
    let behind = blobs.list_objects(Some(middle), 100).await.unwrap();
    let expected: Vec<_> = keys.iter().filter(|key| key.digest > middle).copied().collect();
    assert_eq!(behind.objects.iter().map(|object| object.key).collect::<Vec<_>>(), expected);
}

/// And the others are.
pub async fn what_was_deleted_is_listed_no_more<B: Blobs + StoredObjects>(blobs: &B) {
    let gone = pushed(blobs, &content(1000, 1)).await;
    let kept = pushed(blobs, &content(1000, 2)).await;
    deleted(blobs, &gone).await;
    let found = listed(blobs, 10).await;
    assert_eq!(found.iter().map(|object| object.key).collect::<Vec<_>>(), [kept]);
}
