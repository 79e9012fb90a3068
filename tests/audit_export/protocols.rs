//! Each way to a receiver.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::house::House;
use crate::receiver::{Received, read_framed};
use crate::support::program::wait_until;

#[test]
fn over_udp_each_datagram_is_a_message() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("udp://{}", socket.local_addr().unwrap());
    let received = Received::default();
    let to = received.clone();
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length) = socket.recv(&mut buffer) {
            to.add(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    });
    let house = House::start_with(&[("WHARF_AUDIT_SYSLOG", &url)]);
    received.wait_for_all(&house);
    for message in received.all() {
        assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{message}");
        let header: Vec<_> = message.splitn(8, ' ').collect();
        assert_eq!(header[0], "<110>1", "{message}");
        assert_eq!((header[3], header[4], header[6]), ("wharf", "-", "-"), "{message}");
        assert!(message.contains(&format!("\"action\":\"{}\"", header[5])), "{message}");
    }
}

#[test]
fn a_socket_of_this_machine_takes_them_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let received = Received::default();
    let to = received.clone();
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length) = socket.recv(&mut buffer) {
            to.add(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    });
    let house = House::start_with(&[("WHARF_AUDIT_SYSLOG", &format!("unix://{}", path.display()))]);
    received.wait_for_all(&house);
}

/// What a receiver shows, and the file of who vouches for it.
fn certificate(folder: &TempDir) -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let file = folder.path().join("receiver.pem");
    fs::write(&file, certificate.pem()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (Arc::new(config), file.display().to_string())
}

#[test]
fn over_tls_they_come_to_who_shows_the_right_certificate_alone() {
    let folder = TempDir::new().unwrap();
    let (config, trusted) = certificate(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tls://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let to = received.clone();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, connection);
            if read_framed(&mut stream, &to) {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    // One that trusts the system's certificates trusts none that was made just now.
    let stranger = House::start_with(&[("WHARF_AUDIT_SYSLOG", &url)]);
    wait_until("it is told", Duration::from_secs(30), || {
        stranger.server.log().contains("certificate")
    });
    assert!(received.all().is_empty());
    drop(stranger);
    let settings = [("WHARF_AUDIT_SYSLOG", url.as_str()), ("WHARF_AUDIT_SYSLOG_CA_FILE", &trusted)];
    let house = House::start_with(&settings);
    received.wait_for_all(&house);
}

/// Somebody on the way can close a connection after they have swallowed what was on it.
#[test]
fn over_tls_who_closes_without_a_word_has_read_nothing() {
    let folder = TempDir::new().unwrap();
    let (config, trusted) = certificate(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tls://{}", listener.local_addr().unwrap());
    let (received, cut) = (Received::default(), Arc::new(AtomicUsize::new(0)));
    let (to, count) = (received.clone(), Arc::clone(&cut));
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, connection);
            if count.load(Ordering::SeqCst) < 2 {
                // It reads to the end, so that nothing but the missing word tells.
                assert!(read_framed(&mut stream, &Received::default()));
                count.fetch_add(1, Ordering::SeqCst);
            } else if read_framed(&mut stream, &to) {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    let settings = [("WHARF_AUDIT_SYSLOG", url.as_str()), ("WHARF_AUDIT_SYSLOG_CA_FILE", &trusted)];
    let house = House::start_with(&settings);
    received.wait_for_all(&house);
    assert_eq!(cut.load(Ordering::SeqCst), 2);
    assert!(house.server.log().contains("close_notify"), "{}", house.server.log());
}
