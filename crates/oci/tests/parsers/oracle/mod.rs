//! Independent readings of the specifications, slow and plain, that parsers are compared with.
//!
//! The fuzz targets include this directory by path, so it uses nothing but `wharf-oci`, `serde_json` and std.

pub mod manifest;
pub mod range;
pub mod regular_expression;
