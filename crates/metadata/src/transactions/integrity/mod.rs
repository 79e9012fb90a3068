//! The scrub: what it compares, what it finds, which objects it takes out of use, and how far it is. What becomes of an object is decided by
//! `wharf_core::blob_life`, as for garbage.

pub(crate) mod blobs;
pub(crate) mod findings;
pub(crate) mod manifests;
pub(crate) mod objects;
pub(crate) mod passes;
pub(crate) mod quarantine;
pub(crate) mod references;
pub(crate) mod repair;
