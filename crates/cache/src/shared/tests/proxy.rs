//! A TCP proxy before Redis that can be told to stall, to cut and to refuse.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Stall,
    Cut,
}

/// The proxy. It ends with this value.
pub(super) struct Proxy {
    port: u16,
    mode: Arc<watch::Sender<Mode>>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Starts one before `redis://host:port`.
    pub(super) async fn start(url: &str) -> Self {
        let address = url.strip_prefix("redis://").unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(watch::Sender::new(Mode::Pass));
        let told = Arc::clone(&mode);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *told.borrow() == Mode::Cut {
                    continue;
                }
                let server = TcpStream::connect(&address).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, told.subscribe()));
                tokio::spawn(pass(from_server, to_client, told.subscribe()));
            }
        });
        Self { port, mode, serving }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Bytes wait until it heals.
    pub(super) fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Connections break, and new ones too.
    pub(super) fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    pub(super) fn heal(&self) {
        self.mode.send_replace(Mode::Pass);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut told: watch::Receiver<Mode>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = told.wait_for(|mode| *mode == Mode::Cut) => return,
        };
        if read == 0 || told.wait_for(|mode| *mode != Mode::Stall).await.is_err() {
            return;
        }
        if *told.borrow() == Mode::Cut || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
