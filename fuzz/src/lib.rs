//! What the fuzz targets share: readings of the same texts by other means, so that two must agree.

#[path = "../../crates/oci/tests/parsers/oracle/mod.rs"]
pub mod oci;

pub mod http;
