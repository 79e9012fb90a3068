//! What the fuzz targets share: the oracles of the property tests, so that both hold parsers to the same readings.

#[path = "../../crates/oci/tests/parsers/oracle/mod.rs"]
pub mod oci;
