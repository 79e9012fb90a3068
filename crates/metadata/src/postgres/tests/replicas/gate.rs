//! A TCP proxy before a server that lets through, cuts, or goes silent, and counts what passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// All are broken, and each new one.
    Cut,
    /// Nothing passes, and nobody is told.
    Silent,
}

/// The proxy.
pub(super) struct Gate {
    /// The URL that leads through it.
    pub(super) url: String,
    way: watch::Sender<Way>,
    asked: Arc<AtomicUsize>,
}

impl Gate {
    /// One before the server of `url`.
    pub(super) async fn before(url: &str, way: Way) -> Self {
        let server = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (way, ways) = watch::channel(way);
        let asked = Arc::new(AtomicUsize::new(0));
        let gate = Self { url: url.replace(&server, &address), way, asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), ways.clone(), Arc::clone(&asked)));
            }
        });
        gate
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How many questions for the position have passed.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut client: TcpStream,
    server: String,
    mut ways: watch::Receiver<Way>,
    asked: Arc<AtomicUsize>,
) {
    if *ways.borrow() == Way::Cut {
        return;
    }
    let mut server = TcpStream::connect(server).await.unwrap();
    let (mut sent, mut said) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let way = *ways.borrow_and_update();
        tokio::select! {
            changed = ways.changed() => {
                if changed.is_err() || *ways.borrow() == Way::Cut {
                    return;
                }
            }
            read = client.read(&mut sent), if way == Way::Open => match read {
                Ok(length @ 1..) => {
                    let question = b"FROM pg_current_wal_flush_lsn";
                    let bytes = &sent[..length];
                    let found = bytes.windows(question.len()).filter(|part| part == question);
                    asked.fetch_add(found.count(), Ordering::SeqCst);
                    if server.write_all(bytes).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = server.read(&mut said), if way == Way::Open => match read {
                Ok(length @ 1..) => {
                    if client.write_all(&said[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
