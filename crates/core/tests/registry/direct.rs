//! Direct uploads on files: parts in any order, whose content counts only after it was read again.

use std::time::Duration;

use bytes::Bytes;
use wharf_blobs::FileBlobs;
use wharf_core::direct::{PartNumber, PartTag};
use wharf_core::metadata::Uploads;
use wharf_core::operation::*;
use wharf_core::{Completion, Error, Missing, PartAddress, Result, Rules, StartedDirect, UploadId};
use wharf_oci::{Algorithm, Digest, ErrorCode, Hasher};

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, content, digest, name, nothing, whole};

pub(crate) const MIB: usize = 1 << 20;

/// Two parts and a bit: files take parts of 8 MiB.
pub(crate) const SIZE: usize = 16 * MIB + 5;

/// Long enough for any test.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Sent = Vec<(PartNumber, PartTag)>;

fn number(number: u32) -> PartNumber {
    PartNumber::new(number).unwrap()
}

impl Stand<FileBlobs> {
    async fn begin(&self, size: u64, digest: Option<Digest>) -> Result<StartedDirect> {
        let operation = self.allowed(StartDirectUpload { repository: name("a") }).await;
        self.registry.start_direct_upload(&operation, size, digest).await
    }

    pub(crate) async fn begun(&self, bytes: &Bytes) -> UploadId {
        match self.begin(bytes.len() as u64, None).await.unwrap() {
            StartedDirect::Upload(state) => state.id,
            StartedDirect::Held(digest) => panic!("{digest} is held"),
        }
    }

    pub(crate) async fn part(&self, upload: UploadId, part: u32, bytes: &Bytes) -> Result<PartTag> {
        let operation = self.allowed(PutPart { repository: name("a"), upload }).await;
        let length = Some(bytes.len() as u64);
        self.registry.put_part(&operation, number(part), length, whole(bytes)).await
    }

    /// Sends every part, the last first.
    pub(crate) async fn sent(&self, upload: UploadId, bytes: &Bytes) -> Sent {
        let parts = bytes.chunks(8 * MIB).zip(1..).collect::<Vec<_>>();
        let mut sent = Vec::new();
        for (part, index) in parts.into_iter().rev() {
            let tag = self.part(upload, index, &bytes.slice_ref(part)).await.unwrap();
            sent.insert(0, (number(index), tag));
        }
        sent
    }

    pub(crate) async fn end(
        &self,
        upload: UploadId,
        digest: Digest,
        parts: &Sent,
    ) -> Result<Completion> {
        self.end_within(upload, digest, parts, PATIENCE).await
    }

    pub(crate) async fn end_within(
        &self,
        upload: UploadId,
        digest: Digest,
        parts: &Sent,
        patience: Duration,
    ) -> Result<Completion> {
        let operation = FinishDirectUpload { repository: name("a"), upload, digest };
        let operation = self.allowed(operation).await;
        self.registry.finish_direct_upload(operation, parts.clone(), patience, ()).await
    }

    async fn status(&self, upload: UploadId) -> Result<Vec<u32>> {
        let operation = self.allowed(GetDirectUpload { repository: name("a"), upload }).await;
        let (_, received) = self.registry.get_direct_upload(&operation).await?;
        Ok(received.into_iter().map(|part| part.number.get()).collect())
    }

    /// What is staged, by name.
    pub(crate) fn staged(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.folder.path().join("blobs/staging")).unwrap();
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

pub(crate) fn is_unknown<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::NotFound(Missing::Upload(..))))
}

fn code<T>(result: Result<T>) -> Option<ErrorCode> {
    match result {
        Err(Error::Invalid { code, .. }) => Some(code),
        _ => None,
    }
}

#[tokio::test]
async fn parts_in_any_order_become_a_blob_under_either_algorithm() {
    let stand = Stand::on_files();
    for (seed, algorithm) in [(1, Algorithm::Sha256), (2, Algorithm::Sha512)] {
        let bytes = content(SIZE, seed);
        let digest = Hasher::digest(algorithm, &bytes);
        let upload = stand.begun(&bytes).await;
        let parts = stand.sent(upload, &bytes).await;
        assert_eq!(stand.status(upload).await.unwrap(), [1, 2, 3]);
        // The second time as a client that lost the first reply.
        for _ in 0..2 {
            assert_eq!(stand.end(upload, digest, &parts).await.unwrap(), Completion::Done);
        }
        assert!(stand.pull("a", digest).await.unwrap() == bytes);
        assert!(is_unknown(stand.status(upload).await));
        assert_eq!(stand.staged(), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_not_its_digest_leaves_nothing() {
    let stand = Stand::on_files();
    let (bytes, named) = (content(SIZE, 1), digest(b"something else"));
    let upload = stand.begun(&bytes).await;
    let parts = stand.sent(upload, &bytes).await;
    let ended = stand.end(upload, named, &parts).await;
    assert_eq!(code(ended), Some(ErrorCode::DigestInvalid));
    assert!(is_unknown(stand.end(upload, digest(&bytes), &parts).await));
    assert!(stand.pull("a", named).await.is_none());
    assert!(stand.pull("a", digest(&bytes)).await.is_none());
    assert_eq!(stand.staged(), [""; 0]);
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
}

#[tokio::test]
async fn parts_that_are_not_those_that_came_are_refused_and_the_upload_goes_on() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    let third = stand.part(upload, 3, &bytes.slice(16 * MIB..)).await.unwrap();
    let unknown: PartTag = "00ff".parse().unwrap();
    let named = |numbers: &[u32]| -> Sent {
        numbers.iter().map(|part| (number(*part), unknown.clone())).collect()
    };
    // Not sent yet.
    let ended = stand.end(upload, digest(&bytes), &named(&[1, 2, 3])).await;
    assert_eq!(code(ended), Some(ErrorCode::BlobUploadInvalid));
    let mut parts = stand.sent(upload, &bytes).await;
    assert_ne!(parts[2].1, third);
    for wrong in [
        vec![],
        named(&[1, 2, 3]),
        parts[..2].to_vec(),
        vec![parts[0].clone(), parts[0].clone(), parts[2].clone()],
        vec![parts[1].clone(), parts[0].clone(), parts[2].clone()],
        [&parts[..], &named(&[4])[..]].concat(),
        vec![parts[0].clone(), parts[1].clone(), (number(3), third)],
    ] {
        let ended = stand.end(upload, digest(&bytes), &wrong).await;
        assert_eq!(code(ended), Some(ErrorCode::BlobUploadInvalid), "{wrong:?}");
    }
    // A part that is sent again counts under its new name alone.
    parts[0].1 = stand.part(upload, 1, &bytes.slice(..8 * MIB)).await.unwrap();
    let ended = stand.end(upload, digest(&bytes), &parts).await;
    assert_eq!(ended.unwrap(), Completion::Done);
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn sizes_that_do_not_fit_are_refused() {
    let rules = Rules { max_blob_size: SIZE as u64, ..Rules::default() };
    let stand = Stand::on_files_with(rules);
    let bytes = content(SIZE, 1);
    assert_eq!(code(stand.begin(0, None).await), Some(ErrorCode::SizeInvalid));
    let larger = stand.begin(SIZE as u64 + 1, None).await;
    assert!(matches!(larger, Err(Error::TooLarge { .. })));
    assert_eq!(stand.staged(), [""; 0]);
    let upload = stand.begun(&bytes).await;
    for (part, length) in [(1, 8 * MIB - 1), (1, 8 * MIB + 1), (3, 4), (3, 8 * MIB)] {
        let put = stand.part(upload, part, &content(length, 2)).await;
        assert_eq!(code(put), Some(ErrorCode::SizeInvalid), "{part} {length}");
    }
    assert_eq!(code(stand.part(upload, 4, &bytes).await), Some(ErrorCode::BlobUploadInvalid));
    let operation = stand.allowed(PutPart { repository: name("a"), upload }).await;
    let unannounced = stand.registry.put_part(&operation, number(3), None, nothing()).await;
    assert_eq!(code(unannounced), Some(ErrorCode::SizeInvalid));
    let short = stand.registry.put_part(&operation, number(3), Some(5), nothing()).await;
    assert_eq!(code(short), Some(ErrorCode::SizeInvalid));
    assert!(stand.status(upload).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_blob_that_is_held_need_not_be_sent() {
    let stand = Stand::on_files();
    let bytes = content(1000, 1);
    stand.push("a", &bytes).await.unwrap();
    let held = stand.begin(1000, Some(digest(&bytes))).await.unwrap();
    assert_eq!(held, StartedDirect::Held(digest(&bytes)));
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
}

#[tokio::test]
async fn neither_protocol_knows_an_upload_of_the_other() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    let parts = stand.sent(upload, &bytes).await;
    assert!(is_unknown(stand.append("a", upload, whole(&bytes)).await));
    assert!(is_unknown(stand.finish("a", upload, digest(&bytes), whole(&bytes)).await));
    assert!(is_unknown(stand.offset("a", upload).await));
    let cancel = stand.allowed(CancelUpload { repository: name("a"), upload }).await;
    assert!(is_unknown(stand.registry.cancel_upload(&cancel).await));
    // Under another repository it is not known at all.
    let elsewhere = stand.allowed(GetDirectUpload { repository: name("b"), upload }).await;
    assert!(is_unknown(stand.registry.get_direct_upload(&elsewhere).await));
    let elsewhere = stand.allowed(CancelDirectUpload { repository: name("b"), upload }).await;
    assert!(is_unknown(stand.registry.cancel_direct_upload(&elsewhere).await));
    assert_eq!(stand.end(upload, digest(&bytes), &parts).await.unwrap(), Completion::Done);

    let standard = stand.start("a").await.unwrap();
    stand.append("a", standard, whole(&content(100, 2))).await.unwrap();
    assert!(is_unknown(stand.status(standard).await));
    assert!(is_unknown(stand.part(standard, 1, &bytes).await));
    assert!(is_unknown(stand.end(standard, digest(b"x"), &parts).await));
    assert_eq!(stand.offset("a", standard).await.unwrap(), 100);
}

#[tokio::test]
async fn where_they_are_switched_off_no_upload_of_before_is_taken_for_a_standard_one() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    stand.sent(upload, &bytes).await;
    let without = stand.without_direct_uploads();
    let append = stand.allowed(AppendUpload { repository: name("a"), upload }).await;
    let appended = without.append_upload(&append, None, None, whole(&bytes)).await;
    assert!(is_unknown(appended));
    let start = stand.allowed(StartDirectUpload { repository: name("a") }).await;
    let begun = without.start_direct_upload(&start, 5, None).await;
    assert!(matches!(begun, Err(Error::Unsupported(_))));
    // One that was assembled and not read yet is no standard upload of no bytes either.
    let (bytes, empty) = (content(SIZE, 2), digest(b""));
    let assembled = stand.begun(&bytes).await;
    let parts = stand.sent(assembled, &bytes).await;
    stand.metadata.script("record_progress", 3, MetadataFault::Fail);
    assert!(stand.end(assembled, digest(&bytes), &parts).await.is_err());
    let operation = FinishUpload { repository: name("a"), upload: assembled, digest: empty };
    let operation = stand.allowed(operation).await;
    assert!(is_unknown(without.finish_upload(&operation, None, None, nothing()).await));
    assert!(stand.pull("a", empty).await.is_none());
    // They end when they expire.
    stand.clock.advance(Rules::default().upload_lifetime);
    assert_eq!(without.end_expired_uploads(10).await.unwrap(), 2);
    assert_eq!(stand.staged(), [""; 0]);
}

#[tokio::test]
async fn who_asks_for_addresses_or_sends_a_part_keeps_the_upload_alive() {
    let lifetime = Rules::default().upload_lifetime;
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    let address = || async {
        let operation = stand.allowed(AddressParts { repository: name("a"), upload }).await;
        stand.registry.address_parts(&operation, &[number(1), number(3)], PATIENCE).await
    };
    for _ in 0..2 {
        stand.clock.advance(lifetime * 2 / 3);
        let parts = address().await.unwrap();
        let found: Vec<_> = parts.iter().map(|it| (it.number.get(), it.size)).collect();
        assert_eq!(found, [(1, 8 << 20), (3, 5)]);
        assert!(parts.iter().all(|it| it.address == PartAddress::Node));
    }
    stand.clock.advance(lifetime * 2 / 3);
    stand.part(upload, 3, &bytes.slice(16 * MIB..)).await.unwrap();
    stand.clock.advance(lifetime * 2 / 3);
    assert_eq!(stand.status(upload).await.unwrap(), [3]);
    stand.clock.advance(lifetime);
    assert!(is_unknown(address().await));
    assert_eq!(stand.registry.end_expired_uploads(10).await.unwrap(), 1);
    assert_eq!(stand.staged(), [""; 0]);
}

#[tokio::test]
async fn a_cancelled_upload_takes_no_part_and_leaves_nothing() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    stand.sent(upload, &bytes).await;
    let cancel = stand.allowed(CancelDirectUpload { repository: name("a"), upload }).await;
    stand.registry.cancel_direct_upload(&cancel).await.unwrap();
    assert!(is_unknown(stand.part(upload, 3, &bytes.slice(16 * MIB..)).await));
    assert!(is_unknown(stand.registry.cancel_direct_upload(&cancel).await));
    assert_eq!(stand.staged(), [""; 0]);
}
