//! Nouns of the OCI specifications: names, digests, media types, manifests, ranges, error codes. No I/O.
//!
//! Every type here holds only good values: once parsed, nothing checks it again.

mod digest;
mod error_code;
mod hasher;
mod json;
mod manifest;
mod media_type;
mod name;
mod name_pattern;
mod range;
mod reference;
mod tag_order;
mod tag_pattern;
mod tag_version;
mod wildcard;

pub use digest::{Algorithm, Digest, DigestError};
pub use error_code::ErrorCode;
pub use hasher::{HashState, Hasher};
pub use manifest::{
    Descriptor, Kind, MAX_ANNOTATIONS, MAX_DEPTH, MAX_DESCRIPTORS, Manifest, ManifestError,
    Platform,
};
pub use media_type::MediaType;
pub use name::{NameError, RepositoryName, Tag, TagError};
pub use name_pattern::{NamePattern, NamePatternError};
pub use range::{ByteRange, ContentRange, RangeError};
pub use reference::{Reference, ReferenceError};
pub use tag_order::TagOrder;
pub use tag_pattern::{TagPattern, TagPatternError, TagSelection, TagSelectionError};
pub use tag_version::TagVersion;
pub use wildcard::wildcard_covers;
