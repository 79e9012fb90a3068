//! How far an upload is: its multipart upload, the parts in it, and the tail that is too short for a part.
//!
//! The metadata keep this between two requests, so that any node can take the next one. An append leaves what it
//! began with in place until the next append begins: only then is it known that its outcome was recorded.

use bytes::{Buf, BufMut};
use wharf_core::blobs::Staged;

/// The first byte of the stored form.
const VERSION: u8 = 1;

/// How far an upload is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The store's name of the multipart upload; `None` until the first part.
    pub(super) multipart: Option<String>,
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
        parts.put_u64(self.in_parts);
        parts.put_u32(self.parts.len() as u32);
        for part in &self.parts {
            put_text(&mut parts, part);
        }
        let tail = self.tail.unwrap_or(Tail { name: 0, size: 0 });
        parts.put_u128(tail.name);
        parts.put_u64(tail.size);
        parts.put_u128(self.replaced.unwrap_or_default());
        Staged { offset: self.offset(), parts }
    }
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    to.put_u32(text.len() as u32);
    to.put_slice(text.as_bytes());
}

fn decode(mut bytes: &[u8]) -> Option<Progress> {
    let bytes = &mut bytes;
    (bytes.try_get_u8().ok()? == VERSION).then_some(())?;
    let multipart = get_text(bytes)?;
    let in_parts = bytes.try_get_u64().ok()?;
    let count = bytes.try_get_u32().ok()?;
    let parts = (0..count).map(|_| get_text(bytes)).collect::<Option<_>>()?;
    let tail = Tail { name: bytes.try_get_u128().ok()?, size: bytes.try_get_u64().ok()? };
    let replaced = bytes.try_get_u128().ok()?;
    Some(Progress {
        multipart: (!multipart.is_empty()).then_some(multipart),
        parts,
        in_parts,
        tail: (tail.size > 0).then_some(tail),
        replaced: (replaced > 0).then_some(replaced),
    })
}

fn get_text(bytes: &mut &[u8]) -> Option<String> {
    let length = bytes.try_get_u32().ok()? as usize;
    let text = bytes.get(..length)?.to_vec();
    bytes.advance(length);
    String::from_utf8(text).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_progress_comes_back() {
        let progress = Progress {
            multipart: Some("VXBsb2FkIElE".into()),
            parts: vec!["\"etag-1\"".into(), "\"etag-2\"".into()],
            in_parts: 16 << 20,
            tail: Some(Tail { name: u128::MAX, size: 17 }),
            replaced: Some(9),
        };
        let short = Progress { tail: Some(Tail { name: 1, size: 1 }), ..Progress::default() };
        for progress in [progress, short, Progress::default()] {
            assert_eq!(Progress::of(&progress.staged()), Some(progress));
        }
    }

    #[test]
    fn what_was_not_made_here_is_nothing() {
        let whole = Progress { parts: vec!["p".into(); 3], in_parts: 30, ..Progress::default() };
        let staged = whole.staged();
        for length in 1..staged.parts.len() {
            let cut = Staged { parts: staged.parts[..length].to_vec(), ..staged };
            assert_eq!(Progress::of(&cut), None, "{length} bytes");
        }
        assert_eq!(Progress::of(&Staged { offset: 31, ..staged }), None);
    }
}
