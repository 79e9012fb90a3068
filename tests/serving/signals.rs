//! SIGHUP: the certificate is read anew; a server without one goes on.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::CertifiedKey;
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use tempfile::TempDir;

use crate::support::program::wait_until;
use crate::support::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// All files of a test have the same time and length, so that nothing but the signal tells of a change.
const LENGTH: usize = 8192;

#[test]
fn the_certificate_is_read_anew() {
    let folder = TempDir::new().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let first = write_pair(&chain, &key);
    let server = Server::start_with(&[
        ("WHARF_HTTP_TLS_CERTIFICATE", chain.to_str().unwrap()),
        ("WHARF_HTTP_TLS_KEY", key.to_str().unwrap()),
    ]);
    assert!(greets(&server, &first));
    let second = write_pair(&chain, &key);
    assert!(greets(&server, &first) && !greets(&server, &second));

    server.signal(Signal::HUP);

    wait_until("the new certificate is shown", PATIENCE, || greets(&server, &second));
    assert!(!greets(&server, &first));
    fs::write(&key, "no key").unwrap();
    server.signal(Signal::HUP);
    wait_until("the bad one is told of", PATIENCE, || {
        server.log().contains("the old certificate stays in use")
    });
    assert!(greets(&server, &second));
}

#[test]
fn a_server_without_a_certificate_goes_on() {
    let mut server = Server::start();
    server.signal(Signal::HUP);
    assert_eq!(server.registry().get("/v2/").unwrap().status, 200);
    // Signals come one after the other: that the next one is obeyed shows that the first was.
    server.begin_stop();
    assert!(server.ended().success(), "{}", server.log());
}

/// Writes a certificate for `localhost` with its key; the certificate.
fn write_pair(chain: &Path, key: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (path, mut text) in [(chain, cert.pem()), (key, signing_key.serialize_pem())] {
        assert!(text.len() < LENGTH);
        text.extend(std::iter::repeat_n('\n', LENGTH - text.len()));
        fs::write(path, text).unwrap();
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
    }
    cert.der().clone()
}

/// Whether the server shows this certificate, and answers.
fn greets(server: &Server, certificate: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    let asked =
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut reply = [0; 12];
    asked.and_then(|()| stream.read_exact(&mut reply)).is_ok() && reply == *b"HTTP/1.1 200"
}
