//! Rules of direct uploads: parts in any order, one object of them, and none that comes too late.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use wharf_core::UploadId;
use wharf_core::blobs::{Blobs, StageError, Staged};
use wharf_core::direct::{DirectStore, PartCarrier, PartNumber, PartTag};

use super::stand::{chunks, content, gathered, key_of, pieces_of, read, same, staged, upload};

/// A store, and a client of its direct uploads.
pub struct Direct {
    blobs: Arc<dyn Blobs>,
    direct: DirectStore,
    http: reqwest::Client,
}

/// A direct upload under way.
struct Sending<'a> {
    stand: &'a Direct,
    upload: UploadId,
    staged: Staged,
    bytes: Bytes,
    part_size: usize,
}

impl Direct {
    /// Of a store, and the same store for direct uploads.
    pub fn new(blobs: Arc<dyn Blobs>, direct: DirectStore) -> Self {
        Self { blobs, direct, http: reqwest::Client::new() }
    }

    /// Begins an upload of three parts, the last of which is short.
    async fn begin(&self, seed: u64) -> Sending<'_> {
        let part_size = self.part_size().await;
        let bytes = content(2 * part_size + 5, seed);
        self.begin_with(bytes, part_size).await
    }

    async fn begin_with(&self, bytes: Bytes, part_size: usize) -> Sending<'_> {
        let upload = upload();
        let staged = self.direct.store.begin(&upload, bytes.len() as u64).await.unwrap();
        assert_eq!(staged.offset, 0);
        Sending { stand: self, upload, staged, bytes, part_size }
    }

    /// How this store cuts a small blob.
    async fn part_size(&self) -> usize {
        let upload = upload();
        let staged = self.direct.store.begin(&upload, 1).await.unwrap();
        let plan = self.direct.store.plan(&staged).unwrap();
        self.blobs.discard(&upload, &staged).await.unwrap();
        plan.part_size as usize
    }

    /// Sends bytes as a part; `None` where they were not taken as one.
    async fn send(
        &self,
        upload: &UploadId,
        staged: &Staged,
        number: u32,
        bytes: &Bytes,
    ) -> Option<PartTag> {
        let number = PartNumber::new(number).unwrap();
        match &self.direct.carrier {
            PartCarrier::Node(store) => {
                let chunks = chunks(&pieces_of(bytes, 1 << 20));
                match store.put_part(upload, staged, number, chunks).await {
                    Err(StageError::NotFound) => None,
                    other => other.unwrap(),
                }
            }
            PartCarrier::Client(store) => {
                let life = Duration::from_secs(60);
                let url = store.sign_part(upload, staged, number, life).await.unwrap();
                let reply = self.http.put(url.expose()).body(bytes.clone()).send().await.unwrap();
                let tag = reply.headers().get("etag").cloned();
                reply.status().is_success().then(|| tag.unwrap().to_str().unwrap().parse().unwrap())
            }
        }
    }
}

impl Sending<'_> {
    fn part(&self, number: u32) -> Bytes {
        let start = (number as usize - 1) * self.part_size;
        self.bytes.slice(start..(start + self.part_size).min(self.bytes.len()))
    }

    async fn send(&self, number: u32) -> (PartNumber, PartTag) {
        let tag = self.stand.send(&self.upload, &self.staged, number, &self.part(number)).await;
        (PartNumber::new(number).unwrap(), tag.expect("the part is taken"))
    }

    /// Sends all three, not in order, and names them in order.
    async fn send_all(&self) -> Vec<(PartNumber, PartTag)> {
        let (third, first, second) = (self.send(3).await, self.send(1).await, self.send(2).await);
        vec![first, second, third]
    }

    async fn assemble(&self, parts: &[(PartNumber, PartTag)]) -> Result<Staged, StageError> {
        let store = &self.stand.direct.store;
        match store.assemble(&self.upload, &self.staged, parts).await {
            // Done before, or by another one.
            Ok(()) | Err(StageError::NotFound) => {}
            Err(error) => return Err(error),
        }
        store.assembled(&self.upload, &self.staged).await?.ok_or(StageError::NotFound)
    }

    async fn received(&self) -> Result<Vec<(u32, u64, PartTag)>, StageError> {
        let received = self.stand.direct.store.received(&self.upload, &self.staged).await?;
        Ok(received.into_iter().map(|it| (it.number.get(), it.size, it.tag)).collect())
    }

    /// That what was assembled is the blob, and becomes it.
    async fn becomes_the_blob(&self, whole: &Staged) {
        assert_eq!(whole.offset, self.bytes.len() as u64);
        let read_again = self.stand.blobs.read_staged(&self.upload, whole).await.unwrap();
        same(&gathered(read_again).await.unwrap(), &self.bytes);
        let key = key_of(&self.bytes);
        self.stand.blobs.finish(&self.upload, whole, &key).await.unwrap();
        same(&read(&*self.stand.blobs, &key).await, &self.bytes);
    }
}

fn is_not_found<T>(result: Result<T, StageError>) -> bool {
    matches!(result, Err(StageError::NotFound))
}

/// The last first.
pub async fn parts_sent_in_any_order_become_the_blob(stand: &Direct) {
    let sending = stand.begin(1).await;
    let plan = stand.direct.store.plan(&sending.staged).unwrap();
    assert_eq!((plan.size, plan.count()), (sending.bytes.len() as u64, 3));
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    assert_eq!(stand.direct.store.plan(&whole), Some(plan));
    sending.becomes_the_blob(&whole).await;
}

/// To a client that lost everything but the upload's name.
pub async fn what_has_come_is_told(stand: &Direct) {
    let sending = stand.begin(2).await;
    assert_eq!(sending.received().await.unwrap(), []);
    let third = sending.send(3).await;
    assert_eq!(sending.received().await.unwrap(), [(3, 5, third.1.clone())]);
    let first = sending.send(1).await;
    let size = sending.part_size as u64;
    let expected = [(1, size, first.1.clone()), (3, 5, third.1.clone())];
    assert_eq!(sending.received().await.unwrap(), expected);
    let second = sending.send(2).await;
    let whole = sending.assemble(&[first, second, third]).await.unwrap();
    sending.becomes_the_blob(&whole).await;
}

/// It is another thing than having parts.
pub async fn a_seal_is_kept_and_changes_nothing_else(stand: &Direct) {
    let sending = stand.begin(14).await;
    let store = &stand.direct.store;
    assert!(!store.is_sealed(&sending.staged));
    let staged = store.seal(&sending.staged);
    assert!(store.is_sealed(&staged) && store.plan(&staged) == store.plan(&sending.staged));
    assert_eq!(store.seal(&staged), staged);
    assert_eq!(store.assembled(&sending.upload, &staged).await.unwrap(), None);
    let sending = Sending { staged, ..sending };
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    assert!(store.is_sealed(&whole));
    sending.becomes_the_blob(&whole).await;
    assert!(!store.is_sealed(&Staged::default()));
}

/// And has another tag, so that nobody takes the one for the other.
pub async fn a_part_sent_again_replaces_the_first(stand: &Direct) {
    let sending = stand.begin(3).await;
    let wrong = content(sending.part_size, 99);
    let wrong = stand.send(&sending.upload, &sending.staged, 1, &wrong).await.unwrap();
    let parts = sending.send_all().await;
    assert_ne!(parts[0].1, wrong);
    let size = sending.part_size as u64;
    let received = sending.received().await.unwrap();
    assert!(received.contains(&(1, size, parts[0].1.clone())), "{received:?}");
    let whole = sending.assemble(&parts).await.unwrap();
    sending.becomes_the_blob(&whole).await;
}

/// Neither shorter nor longer; what came before under its number may be gone.
pub async fn a_part_of_another_length_does_not_count(stand: &Direct) {
    let sending = stand.begin(4).await;
    let (upload, staged) = (&sending.upload, &sending.staged);
    for length in [0, 4, 6] {
        assert_eq!(stand.send(upload, staged, 3, &content(length, 1)).await, None, "{length}");
        assert_eq!(sending.received().await.unwrap(), [], "{length}");
    }
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    sending.becomes_the_blob(&whole).await;
}

/// Whoever has kept a URL can do nothing with it.
pub async fn no_part_is_taken_after_assembling(stand: &Direct) {
    let sending = stand.begin(5).await;
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    let other = content(5, 77);
    assert_eq!(stand.send(&sending.upload, &sending.staged, 3, &other).await, None);
    assert!(is_not_found(sending.received().await));
    sending.becomes_the_blob(&whole).await;
    assert_eq!(stand.send(&sending.upload, &sending.staged, 3, &other).await, None);
    same(&read(&*stand.blobs, &key_of(&sending.bytes)).await, &sending.bytes);
}

/// And what had come is gone.
pub async fn no_part_is_taken_after_discarding(stand: &Direct) {
    let sending = stand.begin(6).await;
    let parts = sending.send_all().await;
    for _ in 0..2 {
        stand.blobs.discard(&sending.upload, &sending.staged).await.unwrap();
        assert_eq!(stand.send(&sending.upload, &sending.staged, 3, &sending.part(3)).await, None);
        assert!(is_not_found(sending.received().await));
        assert!(is_not_found(sending.assemble(&parts).await));
    }
}

/// Those that came can still be.
pub async fn other_parts_than_came_are_not_assembled(stand: &Direct) {
    let sending = stand.begin(7).await;
    let parts = sending.send_all().await;
    let mut others = parts.clone();
    others[1].1 = "0123456789abcdef0123456789abcdef".parse().unwrap();
    assert!(is_not_found(sending.assemble(&others).await));
    let whole = sending.assemble(&parts).await.unwrap();
    sending.becomes_the_blob(&whole).await;
}

/// From where it was before too, as a node does that never heard of the first time.
pub async fn assembling_twice_answers_the_same(stand: &Direct) {
    let sending = stand.begin(8).await;
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    assert_eq!(sending.assemble(&parts).await.unwrap(), whole);
    sending.becomes_the_blob(&whole).await;
    assert!(is_not_found(sending.assemble(&parts).await));
}

/// On as many nodes.
pub async fn one_of_many_assembles_at_once_counts_for_all(stand: &Direct) {
    let sending = stand.begin(9).await;
    let parts = sending.send_all().await;
    // Some see the others in the middle of it.
    for assembled in join_all((0..4).map(|_| sending.assemble(&parts))).await {
        assert!(assembled.is_ok() || is_not_found(assembled));
    }
    let whole = sending.assemble(&parts).await.unwrap();
    sending.becomes_the_blob(&whole).await;
}

/// A reply may have been lost.
pub async fn a_finish_of_parts_can_be_done_again(stand: &Direct) {
    let sending = stand.begin(10).await;
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    let key = key_of(&sending.bytes);
    for _ in 0..2 {
        stand.blobs.finish(&sending.upload, &whole, &key).await.unwrap();
        same(&read(&*stand.blobs, &key).await, &sending.bytes);
    }
}

/// What was sent a second time is dropped.
pub async fn an_object_that_is_there_stays(stand: &Direct) {
    for seed in [11, 11] {
        let sending = stand.begin(seed).await;
        let parts = sending.send_all().await;
        let whole = sending.assemble(&parts).await.unwrap();
        sending.becomes_the_blob(&whole).await;
    }
}

/// As one whose content was not what its digest names.
pub async fn what_was_assembled_is_discarded(stand: &Direct) {
    let sending = stand.begin(12).await;
    let parts = sending.send_all().await;
    let whole = sending.assemble(&parts).await.unwrap();
    stand.blobs.discard(&sending.upload, &whole).await.unwrap();
    assert!(is_not_found(stand.blobs.read_staged(&sending.upload, &whole).await.map(drop)));
    let key = key_of(&sending.bytes);
    assert!(is_not_found(stand.blobs.finish(&sending.upload, &whole, &key).await));
    assert_eq!(stand.blobs.head(&key).await.unwrap(), None);
}

/// A chunk for the one, or a part for the other, changes nothing.
pub async fn direct_and_standard_uploads_are_told_apart(stand: &Direct) {
    let sending = stand.begin(13).await;
    let parts = sending.send_all().await;
    let pieces = [Bytes::from_static(b"a chunk")];
    let appended = stand.blobs.append(&sending.upload, &sending.staged, chunks(&pieces)).await;
    assert!(is_not_found(appended));
    let whole = sending.assemble(&parts).await.unwrap();
    sending.becomes_the_blob(&whole).await;
    let upload = upload();
    let standard = staged(&*stand.blobs, &upload, &pieces).await;
    assert_eq!(stand.direct.store.plan(&standard), None);
    assert_eq!(stand.direct.store.plan(&Staged::default()), None);
    assert!(is_not_found(stand.direct.store.assemble(&upload, &standard, &parts).await));
    same(&super::stand::read_staged(&*stand.blobs, &upload, &standard).await, &pieces[0]);
}
