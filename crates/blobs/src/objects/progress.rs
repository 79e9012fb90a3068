//! How far an upload is: its multipart upload, the parts in it, and the tail that is too short for a part.
//!
//! The metadata keep this between two requests, so that any node can take the next one. An append leaves what it
//! began with in place until the next append begins: only then is it known that its outcome was recorded.

use std::io::{Read, Write};

use bytes::{Buf, BufMut};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use wharf_core::blobs::Staged;

/// The first byte of the stored form.
const VERSION: u8 = 1;

/// The longest list of parts that is unpacked, in bytes: 10,000 parts have less than half of it.
const LONGEST: u64 = 4 << 20;

/// How far an upload is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The store's name of the multipart upload; `None` until the first part.
    pub(super) multipart: Option<String>,
    /// The name of the object that the parts become: each multipart upload has its own, so that what an append left
    /// that nobody recorded is never taken for what was recorded. 0 before the first part.
    pub(super) content: u128,
    /// What the store calls each part, in order.
    pub(super) parts: Vec<String>,
    /// The bytes in parts.
    pub(super) in_parts: u64,
    /// The bytes behind the parts.
    pub(super) tail: Option<Tail>,
    /// The tail that the last append replaced.
    pub(super) replaced: Option<u128>,
}

/// A staging object with the bytes behind the last part. Each append makes a new one under a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Its name.
    pub(super) name: u128,
    /// Its size in bytes.
    pub(super) size: u64,
}

impl Progress {
    /// How many bytes have come.
    pub(super) fn offset(&self) -> u64 {
        self.in_parts + self.tail.map_or(0, |tail| tail.size)
    }

    /// `None` where `staged` is not what [`Progress::staged`] made: nothing of it can be found.
    pub(super) fn of(staged: &Staged) -> Option<Self> {
        let progress =
            if staged.parts.is_empty() { Self::default() } else { decode(&staged.parts)? };
        (progress.offset() == staged.offset).then_some(progress)
    }

    pub(super) fn staged(&self) -> Staged {
        if *self == Self::default() {
            return Staged::default();
        }
        let mut parts = vec![VERSION];
        put_text(&mut parts, self.multipart.as_deref().unwrap_or_default());
        parts.put_u128(self.content);
        parts.put_u64(self.in_parts);
        put_parts(&mut parts, &self.parts);
        let tail = self.tail.unwrap_or(Tail { name: 0, size: 0 });
        parts.put_u128(tail.name);
        parts.put_u64(tail.size);
        parts.put_u128(self.replaced.unwrap_or_default());
        Staged { offset: self.offset(), parts }
    }
}

pub(super) fn put_text(to: &mut Vec<u8>, text: &str) {
    to.put_u32(text.len() as u32);
    to.put_slice(text.as_bytes());
}

fn decode(mut bytes: &[u8]) -> Option<Progress> {
    let bytes = &mut bytes;
    (bytes.try_get_u8().ok()? == VERSION).then_some(())?;
    let multipart = get_text(bytes)?;
    let content = bytes.try_get_u128().ok()?;
    let in_parts = bytes.try_get_u64().ok()?;
    let parts = get_parts(bytes)?;
    let tail = Tail { name: bytes.try_get_u128().ok()?, size: bytes.try_get_u64().ok()? };
    let replaced = bytes.try_get_u128().ok()?;
    Some(Progress {
        multipart: (content > 0).then_some(multipart),
        content,
        parts,
        in_parts,
        tail: (tail.size > 0).then_some(tail),
        replaced: (replaced > 0).then_some(replaced),
    })
}

/// The parts' names are XML that repeats itself, near 130 bytes each: packed they have near 40.
fn put_parts(to: &mut Vec<u8>, parts: &[String]) {
    let mut texts = Vec::new();
    for part in parts {
        put_text(&mut texts, part);
    }
    let mut packing = DeflateEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = packing.write_all(&texts);
    let packed = packing.finish().unwrap_or_default();
    to.put_u32(parts.len() as u32);
    to.put_u32(packed.len() as u32);
    to.put_slice(&packed);
}

fn get_parts(bytes: &mut &[u8]) -> Option<Vec<String>> {
    let count = bytes.try_get_u32().ok()?;
    let length = bytes.try_get_u32().ok()? as usize;
    let mut texts = Vec::new();
    DeflateDecoder::new(bytes.get(..length)?).take(LONGEST).read_to_end(&mut texts).ok()?;
    bytes.advance(length);
    let mut texts = &texts[..];
    let parts = (0..count).map(|_| get_text(&mut texts)).collect::<Option<_>>()?;
    texts.is_empty().then_some(parts)
}

pub(super) fn get_text(bytes: &mut &[u8]) -> Option<String> {
    let length = bytes.try_get_u32().ok()? as usize;
    let text = bytes.get(..length)?.to_vec();
    bytes.advance(length);
    String::from_utf8(text).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn short(in_parts: u64) -> Progress {
        Progress { in_parts, tail: Some(Tail { name: 1, size: 1 }), ..Progress::default() }
    }

    #[test]
    fn the_most_parts_take_some_hundred_kilobytes() {
        let part = |number: u64| {
            let digest =
                wharf_oci::Hasher::digest(wharf_oci::Algorithm::Sha256, &number.to_be_bytes());
            let (tag, sum) = (&digest.hex()[..32], &digest.hex()[32..44]);
            format!(
                "<PartMetadata><e_tag>\"{tag}\"</e_tag><checksum_crc64nvme>{sum}</checksum_crc64nvme></PartMetadata>"
            )
        };
        let parts = (0..10_000).map(part).collect();
        let progress =
            Progress { multipart: Some("id".into()), content: 1, parts, ..short(1 << 40) };
        let staged = progress.staged();
        assert!(staged.parts.len() < 400_000, "{} bytes", staged.parts.len());
        assert_eq!(Progress::of(&staged), Some(progress));
    }

    #[test]
    fn every_progress_comes_back() {
        let progress = Progress {
            multipart: Some("VXBsb2FkIElE".into()),
            content: 3,
            parts: vec!["\"etag-1\"".into(), "\"etag-2\"".into()],
            in_parts: 16 << 20,
            tail: Some(Tail { name: u128::MAX, size: 17 }),
            replaced: Some(9),
        };
        // Azure does not name multipart uploads.
        let unnamed = Progress { multipart: Some(String::new()), content: 1, ..short(7) };
        for progress in [progress, unnamed, short(0), Progress::default()] {
            assert_eq!(Progress::of(&progress.staged()), Some(progress));
        }
    }

    #[test]
    fn what_was_not_made_here_is_nothing() {
        let parts = vec!["p".into(); 3];
        let whole = Progress { content: 1, multipart: Some(String::new()), parts, ..short(30) };
        let staged = whole.staged();
        for length in 1..staged.parts.len() {
            let cut = Staged { parts: staged.parts[..length].to_vec(), ..staged };
            assert_eq!(Progress::of(&cut), None, "{length} bytes");
        }
        assert_eq!(Progress::of(&Staged { offset: 32, ..staged }), None);
    }
}
