//! Waiting for a registry that is busy, and not for ever.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use http::StatusCode;
use support::{FakeRegistry, client, repository};
use tokio::net::TcpListener;
use wharf_client::{Client, ClientOptions, Error, HostName};
use wharf_oci::{Algorithm, Digest, Hasher};

fn digest() -> Digest {
    Hasher::digest(Algorithm::Sha256, b"x")
}

#[tokio::test]
async fn a_busy_registry_is_asked_again() {
    let registry = FakeRegistry::start().await;
    let busy =
        [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_GATEWAY];
    registry.fault(|fault| fault.busy = busy.map(|status| (status, Some("0"))).into());
    let repository = repository(&client(), &registry, "team/app");
    assert_eq!(repository.blob_size(&digest()).await.unwrap(), None);
    assert_eq!(registry.requests().len(), 4);
}

#[tokio::test]
async fn a_registry_that_stays_busy_is_an_error_in_the_end() {
    let registry = FakeRegistry::start().await;
    let busy = (StatusCode::TOO_MANY_REQUESTS, None);
    registry.fault(|fault| fault.busy = [busy; 20].into());
    let repository = repository(&client(), &registry, "team/app");
    let error = repository.blob_size(&digest()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(registry.requests().len(), 4);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_not_waited() {
    let registry = FakeRegistry::start().await;
    let busy = (StatusCode::SERVICE_UNAVAILABLE, Some("86400"));
    registry.fault(|fault| fault.busy = [busy].into());
    let repository = repository(&client(), &registry, "team/app");
    let error = repository.blob_size(&digest()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn other_errors_are_not_tried_again() {
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| fault.busy = [(StatusCode::FORBIDDEN, None)].into());
    let repository = repository(&client(), &registry, "team/app");
    let error = repository.blob_size(&digest()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::FORBIDDEN));
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_told_after_some_tries() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host: HostName = listener.local_addr().unwrap().to_string().parse().unwrap();
    drop(listener);
    let error = client().registry(&host).ping().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("{host} cannot be reached")), "{error}");
}

#[tokio::test]
async fn a_registry_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host: HostName = listener.local_addr().unwrap().to_string().parse().unwrap();
    let read_timeout = Duration::from_millis(20);
    let client = Client::new(ClientOptions { read_timeout, ..support::hasty() }).unwrap();
    let error = client.registry(&host).ping().await.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_that_speaks_no_tls_is_told_from_one_that_is_not_there() {
    let registry = FakeRegistry::start().await;
    // The address of this machine that does not look like it, so that HTTPS is spoken.
    let host: HostName = registry.host().replace("127.0.0.1", "0.0.0.0").parse().unwrap();
    let error = client().registry(&host).ping().await.unwrap_err();
    assert!(matches!(error, Error::Tls { is_plain: true, .. }), "{error}");
    let plain_http = true;
    let client = Client::new(ClientOptions { plain_http, ..support::hasty() }).unwrap();
    client.registry(&host).ping().await.unwrap();
}
