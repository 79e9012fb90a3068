//! What of a repository is left out since a quota has no room for it.

use std::collections::HashSet;
use std::fmt;

use wharf_oci::Digest;

use super::target::Read;
use crate::metadata::{Bytes, OverQuota};

/// The bytes that a manifest names.
pub(super) struct Need {
    own: u64,
    blobs: Vec<(Digest, u64)>,
}

impl Need {
    /// Its own, and those of its blobs by what it says of them.
    pub(super) fn of(read: &Read) -> Self {
        let blobs = read.manifest.blobs().filter(|blob| !blob.is_non_distributable());
        Self {
            own: read.payload.len() as u64,
            blobs: blobs.map(|blob| (blob.digest, blob.size)).collect(),
        }
    }
}

/// Manifests of a repository for which there was no room, from the first one on that was refused.
pub(super) struct Shortage {
    refused: Box<OverQuota>,
    manifests: u64,
    bytes: u64,
    seen: HashSet<Digest>,
}

impl Shortage {
    /// Nothing was left out yet but for what was refused.
    pub(super) fn new(refused: Box<OverQuota>) -> Self {
        Self { refused, manifests: 0, bytes: 0, seen: HashSet::new() }
    }

    /// Leaves out a manifest. Blobs count once.
    pub(super) fn add(&mut self, need: Need) {
        self.manifests += 1;
        self.bytes = self.bytes.saturating_add(need.own);
        for (digest, size) in need.blobs {
            if self.seen.insert(digest) {
                self.bytes = self.bytes.saturating_add(size);
            }
        }
    }

    /// How many manifests are left out.
    pub(super) const fn manifests(&self) -> u64 {
        self.manifests
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused, manifests, bytes, .. } = self;
        let bytes = Bytes(*bytes);
        write!(formatter, "{refused}: {manifests} manifests are left out, which name {bytes}")
    }
}
