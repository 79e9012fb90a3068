//! What the parsers of `wharf-oci` take and refuse, as properties over generated input and by example.
//!
//! `oracle` holds the independent readings that the parsers are compared with; the fuzz targets share it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod byte_ranges;
mod content_ranges;
mod digests;
mod generated;
mod hash_states;
mod hashers;
mod manifest_contradictions;
mod manifest_embedded_data;
mod manifest_json;
mod manifest_keys;
mod manifest_limits;
mod manifest_samples;
mod manifests;
mod media_types;
mod oracle;
mod references;
mod repository_names;
mod tags;
mod written;
