//! HTTP: routes, requests and replies of the registry, and the server that carries them.

pub mod access_log;
pub mod api;
pub mod body;
pub mod decision;
pub mod metrics;
pub mod origin;
pub mod serve;
