//! HTTP read slowly and plainly.

pub mod headers;
pub mod path;
