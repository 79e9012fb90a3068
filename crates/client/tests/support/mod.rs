//! A registry in this process, which behaves as badly as a test asks it to, and images to push to it.
// Each test program uses a part of it.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used)]

pub mod auth;
pub mod direct;
pub mod images;
pub mod reply;
pub mod server;
pub mod uploads;

use std::time::Duration;

use wharf_client::{Client, ClientOptions, HostName, KnownCredentials, Repository, Retries};

pub use images::{Image, Layout};
pub use server::FakeRegistry;

/// Settings that give up soon and hardly wait.
pub fn hasty() -> ClientOptions {
    let wait = Duration::from_millis(1);
    ClientOptions {
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(20),
        retries: Retries {
            attempts: 4,
            first_wait: wait,
            longest_wait: wait,
            ..Retries::default()
        },
        ..ClientOptions::default()
    }
}

/// A client without credentials.
pub fn client() -> Client {
    Client::new(hasty()).unwrap()
}

/// A client with these credentials.
pub fn client_as(credentials: KnownCredentials) -> Client {
    Client::new(ClientOptions { credentials, ..hasty() }).unwrap()
}

/// A repository of a fake registry.
pub fn repository(client: &Client, registry: &FakeRegistry, name: &str) -> Repository {
    let host: HostName = registry.host().parse().unwrap();
    client.registry(&host).repository(&name.parse().unwrap())
}
