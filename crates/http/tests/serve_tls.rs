//! TLS: both protocols by ALPN, certificates that change, errors that name the file.

#![allow(clippy::unwrap_used)]

mod serve_support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serve_support::*;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wharf_http::serve::{Certificate, Settings, TlsFiles};

/// Writes a new certificate and key into `folder`; the certificate.
fn write_pair(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("key.pem"), KeyPair::serialize_pem(&signing_key)).unwrap();
    fs::write(folder.join("chain.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

fn files(folder: &Path) -> TlsFiles {
    let mut files = TlsFiles::new(folder.join("chain.pem"), folder.join("key.pem"));
    files.poll_interval = Duration::from_millis(20);
    files
}

async fn start(folder: &Path) -> Running {
    Running::start(Settings { tls: Some(files(folder)), ..settings() }).await
}

async fn connect(
    server: &Running,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, server.connect().await)).await
}

#[tokio::test]
async fn both_protocols_are_spoken() {
    let folder = TempDir::new().unwrap();
    let certificate = write_pair(folder.path());
    let server = start(folder.path()).await;
    let request =
        || Request::get("https://localhost/connection").body(Empty::<bytes::Bytes>::new()).unwrap();

    let io = TokioIo::new(connect(&server, &certificate, "h2").await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let response = within(client.send_request(request())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&body[..], b"tls=true zero_copy=false");

    let io = TokioIo::new(connect(&server, &certificate, "http/1.1").await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let response = within(client.send_request(request())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&body[..], b"tls=true zero_copy=false");
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_and_a_bad_one_is_not() {
    let folder = TempDir::new().unwrap();
    let first = write_pair(folder.path());
    let server = start(folder.path()).await;
    connect(&server, &first, "h2").await.unwrap();

    let second = write_pair(folder.path());
    let mut tries = tokio::time::interval(Duration::from_millis(20));
    within(async {
        while connect(&server, &second, "h2").await.is_err() {
            tries.tick().await;
        }
    })
    .await;
    assert!(connect(&server, &first, "h2").await.is_err());

    let certificate = Certificate::load(files(folder.path())).unwrap();
    fs::write(folder.path().join("chain.pem"), "nothing").unwrap();
    assert!(certificate.reload().is_err());
    connect(&server, &second, "h2").await.unwrap();
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let folder = TempDir::new().unwrap();
    let error = || Certificate::load(files(folder.path())).err().unwrap().to_string();
    assert!(error().starts_with("cannot read "), "{}", error());
    assert!(error().contains("chain.pem: No such file"), "{}", error());

    write_pair(folder.path());
    fs::write(folder.path().join("key.pem"), "no key").unwrap();
    assert!(error().contains("key.pem holds no usable private key: "), "{}", error());
    write_pair(folder.path());
    fs::write(folder.path().join("chain.pem"), "").unwrap();
    assert!(error().contains("chain.pem holds no usable certificate: "), "{}", error());

    write_pair(folder.path());
    let other = TempDir::new().unwrap();
    write_pair(other.path());
    fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    assert!(error().contains("cannot be used together"), "{}", error());
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    write_pair(folder.path());
    let tls = Some(files(folder.path()));
    let handshake_timeout = Duration::from_millis(200);
    let server = Running::start(Settings { tls, handshake_timeout, ..settings() }).await;
    let mut stream = server.connect().await;
    assert_eq!(closed(&mut stream).await, b"");
    assert_eq!(server.counters.too_slow.get(), 1);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_closed() {
    let folder = TempDir::new().unwrap();
    write_pair(folder.path());
    let server = start(folder.path()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    closed(&mut stream).await;
    until(|| server.counters.handshake_failed.get() == 1).await;
}
