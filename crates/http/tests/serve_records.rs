//! Access log and metrics of real requests.

#![allow(clippy::unwrap_used)]

mod serve_support;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use hyper::body::Incoming;
use prometheus_client::metrics::counter::Counter;
use serve_support::*;
use wharf_http::access_log::{AccessLog, Format, RequestIds};
use wharf_http::body::Body;
use wharf_http::metrics::{self, Metrics};
use wharf_http::serve::{Connection, Handler, Watch};

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Answers `/large` with many bytes and everything else with two, and records both.
struct Recording {
    log: AccessLog,
    metrics: Arc<Metrics>,
    ids: RequestIds,
}

impl Handler for Recording {
    async fn handle(&self, request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        let mut entry = self.log.begin(&request, self.ids.next_id(), connection.peer.ip());
        let mut measurement = self.metrics.begin("ping");
        entry.set_operation("ping");
        if request.uri().path() == "/never" {
            std::future::pending::<()>().await;
        }
        let body = match request.uri().path() {
            "/large" => {
                let chunk = Bytes::from(vec![7; 1 << 20]);
                Body::stream(LARGE, stream::iter((0..64).map(move |_| Ok(chunk.clone()))))
            }
            _ => Body::from("{}"),
        };
        let mut response = Response::new(body);
        entry.set_status(response.status());
        measurement.set_status(response.status());
        response.extensions_mut().insert(Watch::new((entry, measurement)));
        response
    }
}

async fn recording(format: Format) -> (Running, Seen, Arc<Metrics>, impl FnOnce()) {
    let seen = Seen::default();
    let metrics = Arc::new(Metrics::new(&["ping"]));
    let (log, thread) =
        AccessLog::start(format, seen.clone(), metrics.log_lines_dropped()).unwrap();
    let handler = Recording { log, metrics: Arc::clone(&metrics), ids: RequestIds::new() };
    let server = Running::with(settings(), handler).await;
    (server, seen, metrics, move || thread.stop())
}

/// Line without its time, id and duration, which differ from run to run.
fn constant_part(line: &str) -> String {
    line.split(' ').skip(2).filter(|part| !part.ends_with("ms")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_request_is_one_line_of_text() {
    let (server, seen, _, stop) = recording(Format::Text).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /v2/\"b?a HTTP/1.1\r\nHost: a\r\nUser-Agent: x\"\ty\r\n\r\n").await;
    reply(&mut stream).await;
    send(&mut stream, "HEAD /v2/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s\r\n\r\n").await;
    head(&mut stream).await;
    drop(stream);
    until(|| server.counters.open.get() == 0).await;
    stop();
    let text = seen.text();
    let lines: Vec<String> = text.lines().map(constant_part).collect();
    assert_eq!(
        lines,
        [
            "127.0.0.1 - \"GET /v2/\\\"b?a\" 200 2 ping complete \"x\\\"\\x09y\"",
            "127.0.0.1 - \"HEAD /v2/\" 200 0 ping complete \"-\"",
        ]
    );
}

#[tokio::test]
async fn each_request_is_one_json_object() {
    let (server, seen, _, stop) = recording(Format::Json).await;
    let mut stream = server.connect().await;
    get(&mut stream, "/v2/").await;
    drop(stream);
    until(|| server.counters.open.get() == 0).await;
    stop();
    let mut line: serde_json::Value = serde_json::from_str(&seen.text()).unwrap();
    for varying in ["time", "request_id", "duration_ms"] {
        assert!(line.as_object_mut().unwrap().remove(varying).is_some());
    }
    let expected = serde_json::json!({
        "client": "127.0.0.1", "principal": "-", "method": "GET", "path": "/v2/", "status": 200,
        "bytes": 2, "complete": true, "operation": "ping", "user_agent": null,
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn a_transfer_that_breaks_off_is_said_to_be_broken() {
    let (server, seen, metrics, stop) = recording(Format::Text).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    head(&mut stream).await;
    drop(stream);
    let mut waiting = server.connect().await;
    send(&mut waiting, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until(|| metrics.render().contains("wharf_requests_in_flight 1\n")).await;
    drop(waiting);
    until(|| server.counters.open.get() == 0).await;
    stop();
    let text = seen.text();
    assert!(text.contains(" \"GET /large\" 200 "), "{text}");
    assert!(text.contains(" \"GET /never\" - 0 "), "{text}");
    assert_eq!(text.matches(" ping broken \"-\"\n").count(), 2, "{text}");
}

#[tokio::test]
async fn metrics_count_requests_by_operation_and_status() {
    let (server, _, metrics, _) = recording(Format::Text).await;
    let mut stream = server.connect().await;
    get(&mut stream, "/").await;
    get(&mut stream, "/").await;
    drop(stream);
    until(|| server.counters.open.get() == 0).await;
    drop(metrics.begin("unheard of"));

    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let (address, serving) =
        metrics::serve(address, Arc::clone(&metrics), std::future::pending()).await.unwrap();
    tokio::spawn(serving);
    let mut scraper = tokio::net::TcpStream::connect(address).await.unwrap();
    let (head, body) = get(&mut scraper, "/metrics").await;
    assert!(head.contains(metrics::CONTENT_TYPE), "{head}");
    let text = String::from_utf8(body).unwrap();
    for line in [
        "wharf_requests_in_flight 0",
        "wharf_requests_total{operation=\"ping\",status=\"2xx\"} 2",
        "wharf_requests_total{operation=\"other\",status=\"none\"} 1",
        "wharf_request_duration_seconds_count{operation=\"ping\",status=\"2xx\"} 2",
        "wharf_request_duration_seconds_bucket{le=\"+Inf\",operation=\"ping\",status=\"2xx\"} 2",
        "wharf_connections_refused_total 0",
        "wharf_sent_bytes_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line} is missing in\n{text}");
    }
    let (head, _) = get(&mut scraper, "/").await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[test]
fn lines_that_find_no_room_are_dropped_and_counted() {
    /// Takes nothing before it is let.
    struct Stuck(std::sync::mpsc::Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (release, stuck) = std::sync::mpsc::channel();
    let dropped = Counter::default();
    let (log, thread) = AccessLog::start(Format::Text, Stuck(stuck), dropped.clone()).unwrap();
    let ids = RequestIds::new();
    let request = Request::get("/v2/").body(()).unwrap();
    for _ in 0..50_000 {
        drop(log.begin(&request, ids.next_id(), [127, 0, 0, 1].into()));
    }
    assert!(dropped.get() > 0);
    drop(release);
    thread.stop();
}

#[test]
fn request_ids_differ_and_are_plain_hexadecimal() {
    let ids = RequestIds::new();
    let (first, second) = (ids.next_id().to_string(), ids.next_id().to_string());
    assert_ne!(first, second);
    assert_eq!(first.len(), 24);
    assert!(first.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    assert_eq!(first[..12], second[..12]);
    assert_ne!(RequestIds::new().next_id().to_string()[..12], first[..12]);
}
