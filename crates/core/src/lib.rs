//! What a registry does: operations, the rules they obey, and the traits it needs from outside.
//!
//! No HTTP, no SQL, no files here: those are behind [`metadata`], [`blobs`], [`cache`] and [`permissions`].

pub mod access;
pub mod actor;
pub mod adoption;
pub mod assembly_line;
pub mod authority;
pub mod blob_life;
pub mod blobs;
pub mod browser;
pub mod cache;
pub mod clock;
pub mod delivery;
pub mod devices;
pub mod direct;
mod error;
pub mod immutability;
mod intake;
pub mod limits;
pub mod metadata;
pub mod old_store;
pub mod operation;
pub mod permissions;
mod principal;
mod registry;
pub mod retention;
pub mod scrub;
pub mod tally;
mod upload_id;
pub mod writes;

pub use error::{Error, Gone, Missing, Need, NotRestored, Result, SourceFault, StoreError};
pub use intake::{PIECE_ALIGNMENT, Source, SourceError};
pub use registry::{
    Addressed, BackTo, Changes, Collected, Completion, DirectState, GarbageRules, HeldBlob,
    Listing, Mounted, PartAddress, Parts, PulledManifest, PushManifest, PushedManifest, Registry,
    Restored, Rules, StartedDirect, UploadState,
};
pub use upload_id::UploadId;
