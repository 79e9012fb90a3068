//! The bytes of manifests as the database has them.

use bytes::Bytes;
use wharf_oci::{Digest, Hasher};

use super::Damage;

/// A manifest as it is stored, to be compared with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedManifest {
    /// Which.
    pub digest: Digest,
    /// Its size in bytes, as it was recorded.
    pub size: u64,
    /// What is stored as its bytes.
    pub payload: Bytes,
    /// Whether a finding about its bytes is open.
    pub is_flagged: bool,
}

impl CheckedManifest {
    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn damage(&self) -> Option<Damage> {
        let found = self.payload.len() as u64;
        if self.size != found {
            return Some(Damage::WrongSize { expected: self.size, found });
        }
        let is = Hasher::digest(self.digest.algorithm(), &self.payload);
        (is != self.digest).then_some(Damage::WrongDigest(is))
    }
}

/// What became of a manifest that was found to be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotedManifest {
    /// It is not, or it is not there any more.
    Sound,
    /// That was known.
    Known,
    /// That was not known.
    New,
}
