//! A running server with a handler for tests, and a client that speaks plain HTTP/1.1 text.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use wharf_http::body::Body;
use wharf_http::serve::incoming::{IncomingBody, Limits};
use wharf_http::serve::{Connection, Counters, Handler, Server, Settings};

/// No condition of a test takes this long.
pub const LONG: Duration = Duration::from_secs(20);

/// Bytes of `/large`: more than all buffers between two sockets.
pub const LARGE: u64 = 64 << 20;

/// Answers by path: `/` hello, `/connection` facts, `/large` many bytes, `/gate` when the gate
/// opens, `/panic` never, `/upload` how the body ended.
pub struct Routes {
    pub gate: Arc<Semaphore>,
    /// A permit for each request that has come to the gate.
    pub at_gate: Arc<Semaphore>,
    pub upload: Limits,
}

impl Handler for Routes {
    async fn handle(&self, request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        match request.uri().path() {
            "/" => Response::new(Body::from("hello")),
            "/connection" => {
                let Connection { tls, zero_copy, .. } = connection;
                Response::new(Body::from(format!("tls={tls} zero_copy={zero_copy}")))
            }
            "/large" => Response::new(large()),
            "/gate" => {
                self.at_gate.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
                Response::new(Body::from("through"))
            }
            "/panic" => panic!("a panic that a test asked for"),
            "/upload" => {
                let body = IncomingBody::new(request.into_body(), self.upload);
                Response::new(Body::from(match body.collect(1 << 20).await {
                    Ok(bytes) => format!("{} bytes", bytes.len()),
                    Err(error) => format!("{error:?}"),
                }))
            }
            _ => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}

fn large() -> Body {
    let chunk = Bytes::from(vec![7; 1 << 20]);
    let chunks = (0..LARGE >> 20).map(move |_| Ok(chunk.clone()));
    Body::stream(LARGE, stream::iter(chunks))
}

/// A server that runs until it is stopped or dropped with the test.
pub struct Running {
    pub address: SocketAddr,
    pub counters: Counters,
    pub gate: Arc<Semaphore>,
    at_gate: Arc<Semaphore>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<usize>,
}

pub fn settings() -> Settings {
    Settings { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Settings::default() }
}

impl Running {
    pub async fn start(settings: Settings) -> Self {
        let (gate, at_gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let routes = Routes {
            gate: Arc::clone(&gate),
            at_gate: Arc::clone(&at_gate),
            upload: Limits::up_to(1 << 30),
        };
        Self { gate, at_gate, ..Self::with(settings, routes).await }
    }

    pub async fn with(settings: Settings, handler: impl Handler) -> Self {
        let server = Server::bind(settings).await.unwrap();
        let address = server.local_addr().unwrap();
        let counters = server.counters().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(handler, async {
            let _ = stopped.await;
        }));
        let (gate, at_gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        Self { address, counters, gate, at_gate, stop: Some(stop), task }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits until a request stands at the gate.
    pub async fn entered(&self) {
        within(self.at_gate.acquire()).await.unwrap().forget();
    }

    /// Tells the server to stop, without waiting for it.
    pub fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has stopped; how many connections were cut.
    pub async fn stopped(self) -> usize {
        within(self.task).await.unwrap()
    }
}

/// What `future` yields, which must not take long.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("in time")
}

/// Waits until `condition` holds.
pub async fn until(condition: impl Fn() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    within(async {
        while !condition() {
            looks.tick().await;
        }
    })
    .await;
}

pub async fn get(stream: &mut TcpStream, path: &str) -> (String, Vec<u8>) {
    send(stream, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    reply(stream).await
}

pub async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Head and body of one reply with a `Content-Length`.
pub async fn reply(stream: &mut (impl AsyncRead + Unpin)) -> (String, Vec<u8>) {
    let head = head(stream).await;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    within(stream.read_exact(&mut body)).await.unwrap();
    (head, body)
}

pub async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Waits until the server closes, whether in order or not; what it sent before.
pub async fn closed(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    rest
}
