//! Object stores behind `wharf_core::blobs`: local files, object stores, memory, and a store that fails on purpose.

mod adopted;
mod cdn;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod copying;
mod faults;
mod files;
mod memory;
mod objects;

pub use adopted::{AdoptedBlobs, AdoptedUrls};
pub use cdn::{BadCdnKey, Cdn, CdnKey, CdnUrl, CloudFrontKey, HmacKey, NoCdnUrl};
pub use copying::{Copied, copy_object, hash_object};
pub use faults::{Fault, FaultyBlobs, Method};
pub use files::{FileBlobs, OldFolder};
pub use memory::MemoryBlobs;
pub use objects::{
    Limits, NoObjectStoreUrl, ObjectBlobs, ObjectStoreError, ObjectStoreUrl, OldBucket, Requests,
    StoreRequests,
};
