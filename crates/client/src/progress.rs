//! Hearing what a transfer does, as it does it.

use wharf_oci::{Descriptor, Digest};

use crate::Placed;

/// Something that happened in a transfer. Calls come from several tasks at once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// So many bytes of a layer of `docker save` were read to compress or check it.
    Converting {
        /// The digest of the layer's uncompressed bytes, by its image's configuration.
        layer: Digest,
        /// Bytes from its start.
        position: u64,
        /// All its bytes.
        size: u64,
    },
    /// What is to be copied is known: so many manifests and blobs, so many bytes of blobs.
    Planned {
        /// The number of manifests.
        manifests: usize,
        /// The number of blobs.
        blobs: usize,
        /// The size of all blobs in bytes.
        bytes: u64,
    },
    /// A blob's turn has come.
    Started(&'a Descriptor),
    /// So many bytes of the blob were moved from its start on. It may go back, where a broken upload
    /// was taken up again from an earlier byte.
    Advanced {
        /// The blob.
        digest: Digest,
        /// Bytes from its start.
        position: u64,
    },
    /// The connection broke or the registry was busy; the blob is tried again.
    Retrying {
        /// The blob.
        digest: Digest,
        /// Why.
        reason: &'a crate::Error,
    },
    /// A blob is at the destination.
    Finished(&'a Descriptor, Placed),
    /// A manifest is at the destination.
    Manifest(&'a Descriptor),
    /// A layer was left out, because its owner lets nobody distribute it.
    LeftOut(&'a Descriptor),
}

/// Hears of events. Must return quickly: the transfer waits for it.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}
