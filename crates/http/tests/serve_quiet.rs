//! Clients that leave early are normal, and nothing is logged that would wake anyone. A process of its
//! own: what is logged is caught for all threads.

#![allow(clippy::unwrap_used)]

mod serve_support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use serve_support::*;

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_client_that_leaves_early_is_not_worth_a_warning() {
    let events = Seen::default();
    let writer = events.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .init();
    let server = Running::start(settings()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    head(&mut stream).await;
    drop(stream);
    until(|| server.counters.accepted.get() == 1 && server.counters.open.get() == 0).await;
    let text = String::from_utf8(events.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("connection broke"), "{text}");
    assert!(!text.contains("WARN") && !text.contains("ERROR"), "{text}");
}
