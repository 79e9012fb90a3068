//! What can be set about a client: times, retries, plain HTTP, credentials.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::auth::KnownCredentials;

/// Settings of a [`Client`](crate::Client). [`Default`] gives those of the command line.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Whether every registry is spoken to in plain HTTP. A registry on this machine always is.
    pub plain_http: bool,
    /// How long to wait for a connection. Default 10 s.
    pub connect_timeout: Duration,
    /// How long the other side may say nothing, within a request or a reply. Default 60 s.
    pub read_timeout: Duration,
    /// How long a registry may take to put an upload in its place once all bytes are there. Default 10 min.
    pub commit_timeout: Duration,
    /// When to try again.
    pub retries: Retries,
    /// The most redirects followed for one request. Default 5.
    pub max_redirects: u8,
    /// The size in bytes of the chunks of an upload, for registries behind a proxy that limits requests.
    /// By default a blob is one chunk. A registry's `OCI-Chunk-Min-Length` raises it.
    pub chunk_size: Option<NonZeroU64>,
    /// What the client calls itself.
    pub user_agent: String,
    /// Who the user is, at which registry.
    pub credentials: KnownCredentials,
}

/// When to try again: after connections that fail, and answers 429, 502, 503 and 504.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often a request is sent at most; for a transfer, how often in a row without any progress. Default 5.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time, and up to half of it is left out
    /// by chance. Default 250 ms.
    pub first_wait: Duration,
    /// The longest wait that the doubling reaches. Default 8 s.
    pub longest_wait: Duration,
    /// The longest wait that a registry can ask for by `Retry-After`; past it the request fails. Default 60 s.
    pub longest_asked_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(8),
            longest_asked_wait: Duration::from_secs(60),
        }
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            plain_http: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            commit_timeout: Duration::from_secs(600),
            retries: Retries::default(),
            max_redirects: 5,
            chunk_size: None,
            user_agent: concat!("wharf/", env!("CARGO_PKG_VERSION")).to_owned(),
            credentials: KnownCredentials::default(),
        }
    }
}
