//! Repairs: the two steps between which a copy of a blob is put in place, and that of a manifest.

use std::time::Duration;

use bytes::Bytes;
use wharf_oci::Digest;

use crate::UploadId;
use crate::blobs::{ObjectKey, Staged};

/// The most objects of one digest in which a second copy is looked for.
pub const MOST_COPIES: usize = 16;

/// Begins to copy the content of a quarantined object to another key.
#[derive(Clone, Debug)]
pub struct StartRepair {
    /// The upload as which it is staged: one of the system, that expires like any other.
    pub id: UploadId,
    /// The quarantined object.
    pub damaged: ObjectKey,
    /// What the store began with.
    pub staged: Staged,
    /// How long it may go without progress.
    pub lifetime: Duration,
}

/// Ends a repair whose copy is in place.
#[derive(Clone, Debug)]
pub struct FinishRepair {
    /// The upload as which it was staged.
    pub id: UploadId,
    /// The quarantined object.
    pub damaged: ObjectKey,
    /// Where the copy is: what was reserved for the upload.
    pub key: ObjectKey,
    /// What it was copied from, in words.
    pub source: String,
}

/// Gives a damaged manifest its bytes back.
#[derive(Clone, Debug)]
pub struct RepairManifest {
    /// Which.
    pub digest: Digest,
    /// What its bytes are.
    pub payload: Bytes,
    /// Where they were found, in words.
    pub source: String,
}
