//! The seam to stores into which a client sends a blob by itself: side by side, in parts, in any order.
//!
//! What comes so is believed only after it was assembled into one version of one object, and that version was read
//! and hashed here. From then on it is staged like any other upload: [`Blobs`](crate::blobs::Blobs) reads, finishes
//! and discards it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::UploadId;
use crate::blobs::{Chunks, StageError, Staged};
use crate::delivery::SignedUrl;

/// The most parts of an upload: what S3 knows.
pub const MOST_PARTS: u32 = 10_000;

/// The longest tag of a part in bytes.
const LONGEST_TAG: usize = 128;

/// How a blob is cut: into parts of one size, of which the last may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlan {
    /// The size of the blob in bytes, at least 1.
    pub size: u64,
    /// The size of a part in bytes, at least 1.
    pub part_size: u64,
}

impl PartPlan {
    /// Cuts `size` bytes into parts of `least` bytes or, where these would be too many, of as many MiB as it takes.
    pub fn new(size: u64, least: u64) -> Self {
        let needed = size.div_ceil(u64::from(MOST_PARTS)).next_multiple_of(1 << 20);
        let part_size = if size.div_ceil(least.max(1)) <= u64::from(MOST_PARTS) {
            least.max(1)
        } else {
            needed
        };
        Self { size, part_size }
    }

    /// How many parts there are.
    pub const fn count(&self) -> u32 {
        self.size.div_ceil(self.part_size) as u32
    }

    /// Where a part begins and how many bytes it has; `None` where there is no such part.
    pub fn part(&self, number: PartNumber) -> Option<(u64, u64)> {
        let start = u64::from(number.get() - 1) * self.part_size;
        (start < self.size).then(|| (start, self.part_size.min(self.size - start)))
    }
}

/// The number of a part; the first is 1.
pub type PartNumber = NonZeroU32;

/// What a store calls the bytes that it has received as a part: an entity tag without its quotes. Other bytes under
/// the same number have another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTag(String);

/// The text is no part's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part's etag is what the answer to its PUT said in ETag")]
pub struct PartTagError;

impl PartTag {
    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// With or without quotes. Nothing is let through that would need an escape in XML or JSON.
impl std::str::FromStr for PartTag {
    type Err = PartTagError;

    fn from_str(text: &str) -> Result<Self, PartTagError> {
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=.".contains(&byte);
        if bare.is_empty() || bare.len() > LONGEST_TAG || !bare.bytes().all(plain) {
            return Err(PartTagError);
        }
        Ok(Self(bare.to_owned()))
    }
}

/// A part that a store has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPart {
    /// Which.
    pub number: PartNumber,
    /// Its size in bytes.
    pub size: u64,
    /// What the store calls it.
    pub tag: PartTag,
}

/// A store that takes a blob's parts from its client.
#[async_trait]
pub trait DirectUploads: Send + Sync + 'static {
    /// Makes room for an upload of `size` bytes, which is at least 1.
    async fn begin(&self, upload: &UploadId, size: u64) -> Result<Staged, StageError>;

    /// How the upload is cut; `None` where it is none of these.
    fn plan(&self, staged: &Staged) -> Option<PartPlan>;

    /// The parts received so far, in order. A part that was sent twice may be listed twice: some stores keep both
    /// until one is named. [`StageError::NotFound`] when they are parts no more.
    async fn received(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Vec<ReceivedPart>, StageError>;

    /// The upload with a mark: its parts are those that its client named, and are about to be assembled. From then
    /// on parts that are not there are no fault of the client.
    fn seal(&self, staged: &Staged) -> Staged;

    /// Whether it has that mark.
    fn is_sealed(&self, staged: &Staged) -> bool;

    /// Makes one object of the parts, all of them in order. From then on no part can be sent, by no URL given out
    /// before. [`StageError::NotFound`] when the parts are not there or not these: somebody else may be at it.
    async fn assemble(
        &self,
        upload: &UploadId,
        staged: &Staged,
        parts: &[(PartNumber, PartTag)],
    ) -> Result<(), StageError>;

    /// What was assembled, by whomever: it names exactly that object in exactly the version found now, and has its
    /// size as offset. `None` where there is no such object yet, or no more.
    async fn assembled(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Option<Staged>, StageError>;
}

/// A store that takes parts by itself, by signed URLs.
#[async_trait]
pub trait SignedParts: Send + Sync + 'static {
    /// A URL to which whoever has it may `PUT` this one part, with exactly its size as `Content-Length`, until
    /// `life` has passed or the upload has ended.
    async fn sign_part(
        &self,
        upload: &UploadId,
        staged: &Staged,
        number: PartNumber,
        life: Duration,
    ) -> Result<SignedUrl, StageError>;
}

/// A store whose parts go through a node.
#[async_trait]
pub trait NodeParts: Send + Sync + 'static {
    /// Writes a part, in place of one that was there; durably. `None` when the chunks ended before the part did, or
    /// went on behind it: then there is no such part. The caller sees to it that nobody else works on the part, or
    /// on the upload as a whole.
    async fn put_part(
        &self,
        upload: &UploadId,
        staged: &Staged,
        number: PartNumber,
        chunks: Chunks<'_>,
    ) -> Result<Option<PartTag>, StageError>;
}

/// A store for direct uploads, and who carries the parts to it.
#[derive(Clone)]
pub struct DirectStore {
    /// The store.
    pub store: Arc<dyn DirectUploads>,
    /// Who carries the parts.
    pub carrier: PartCarrier,
}

/// Who carries parts to the store.
#[derive(Clone)]
pub enum PartCarrier {
    /// The client, by signed URLs.
    Client(Arc<dyn SignedParts>),
    /// A node.
    Node(Arc<dyn NodeParts>),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_before_they_are_too_many() {
        const MIB: u64 = 1 << 20;
        for (size, part_size, count) in [
            (1, 8 * MIB, 1),
            (8 * MIB, 8 * MIB, 1),
            (8 * MIB + 1, 8 * MIB, 2),
            (80_000 * MIB, 8 * MIB, 10_000),
            (80_000 * MIB + 1, 9 * MIB, 8889),
            (100 << 30, 11 * MIB, 9310),
        ] {
            let plan = PartPlan::new(size, 8 * MIB);
            assert_eq!((plan.part_size, plan.count()), (part_size, count), "{size}");
            let last = PartNumber::new(count).unwrap();
            let (start, length) = plan.part(last).unwrap();
            assert_eq!(start + length, size);
            assert_eq!(plan.part(PartNumber::new(count + 1).unwrap()), None);
        }
    }

    #[test]
    fn a_tag_holds_nothing_that_xml_would_read() {
        for text in ["\"d41d8cd98f00b204\"", "d41d8cd98f00b204-2", "a/b+c=="] {
            let tag: PartTag = text.parse().unwrap();
            assert_eq!(tag.as_str(), text.trim_matches('"'));
        }
        for text in ["", "\"\"", "\"", "W/\"a\"", "a<b", "a&quot;", "a b", "ä", &"a".repeat(129)] {
            assert_eq!(text.parse::<PartTag>(), Err(PartTagError), "{text}");
        }
    }
}
