//! TLS: spoken where the server has it, and never with a server that cannot show who it is.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wharf_core::metadata::Repositories;

use super::fresh::Fresh;
use crate::{Database, Postgres, PostgresSettings};

/// Speaks TLS under the name `localhost` and hands everything on to `server`. Returns the port, and the file of
/// the certificate to verify it by.
async fn in_front_of(server: String) -> (u16, NamedTempFile) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                let mut wish = [0; 8];
                client.read_exact(&mut wish).await.unwrap();
                client.write_all(b"S").await.unwrap();
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (port, file)
}

#[tokio::test]
async fn a_server_is_spoken_to_only_if_it_can_show_who_it_is() {
    let fresh = Fresh::new().await;
    let url = wharf_engines::postgres();
    let server = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let (port, certificate) = in_front_of(server).await;
    let (_, other_certificate) = in_front_of("127.0.0.1:1".into()).await;
    let settings = |host: &str, mode: &str, root: Option<&NamedTempFile>| {
        let url = format!("postgres://postgres@{host}:{port}/{}?sslmode={mode}", fresh.name);
        let mut settings = PostgresSettings::new(url.parse().unwrap());
        settings.connect_timeout = Duration::from_secs(2);
        settings.root_certificates = root.map(|file| file.path().to_owned());
        settings
    };
    for mode in ["prefer", "require", "verify-full"] {
        let settings = settings("localhost", mode, Some(&certificate));
        assert!(Postgres::migrate(&settings).await.unwrap().is_empty());
        let engine = Postgres::connect(settings).await.unwrap();
        Database::on_postgres(engine).check().await.unwrap();
    }
    for (host, root) in [
        ("localhost", Some(&other_certificate)),
        ("localhost", None),
        ("127.0.0.1", Some(&certificate)),
    ] {
        for mode in ["prefer", "require"] {
            let error = Postgres::connect(settings(host, mode, root)).await.err().unwrap();
            let text = error.to_string();
            assert!(text.contains("certificate"), "{text}");
        }
    }
    let unusable = NamedTempFile::new().unwrap();
    let error = Postgres::connect(settings("localhost", "require", Some(&unusable))).await;
    let text = error.err().unwrap().to_string();
    assert!(text.contains(&unusable.path().display().to_string()), "{text}");
}
