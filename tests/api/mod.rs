//! The API, a file a resource: scenarios whose transcripts are held against `tests/snapshots/`.

mod blobs;
mod conditions;
mod direct_uploads;
mod h2c;
mod listings;
mod manifests;
mod mounts;
mod referrers;
mod request;
mod routes;
pub mod transcript;
mod uploads;
mod wire;
