//! A replica that takes over, and a server that comes back with what it once had: versions of before count as lost.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::*;

/// A Redis of a test's own. It ends with this value.
struct Server {
    port: u16,
    folder: TempDir,
    process: Child,
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = TempDir::new().unwrap();
        let process = launch(port, &folder);
        Self { port, folder, process }
    }

    /// Ends it with what it has on disk, and starts it with that.
    async fn start_again(&mut self) {
        let _: Option<()> = self.ask(&["SHUTDOWN", "SAVE"]).await;
        self.process.wait().unwrap();
        self.process = launch(self.port, &self.folder);
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query_async(&mut connection).await.ok()
    }

    async fn says(&self, words: &[&str], expected: &str) {
        let began = Instant::now();
        loop {
            let said: Option<String> = self.ask(words).await;
            if said.as_deref().is_some_and(|said| said.contains(expected)) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{words:?}: {said:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(port: u16, folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A server, its replica, and a value that the node `writer` put under `name`: both have it.
struct Pair {
    _primary: Server,
    replica: Server,
    epochs: Arc<MemoryEpochs>,
    writer: SharedCache,
    name: String,
}

impl Pair {
    async fn start() -> Self {
        let (primary, replica) = (Server::start(), Server::start());
        primary.says(&["PING"], "PONG").await;
        replica.says(&["PING"], "PONG").await;
        let port = primary.port.to_string();
        replica.says(&["REPLICAOF", "127.0.0.1", &port], "OK").await;
        replica.says(&["INFO", "replication"], "master_link_status:up").await;
        let epochs = MemoryEpochs::new();
        let writer = node(&primary.url(), &epochs).await;
        put(&writer, tag("v1"), "first").await;
        let name = super::super::value_key(writer.watch.current().unwrap(), &tag("v1"));
        replica.says(&["EXISTS", &name], "1").await;
        Self { _primary: primary, replica, epochs, writer, name }
    }
}

#[tokio::test]
async fn a_replica_that_took_over_serves_no_tag_that_was_moved_before() {
    let Pair { _primary, replica, epochs, writer, name } = Pair::start().await;
    // It takes over, and has not heard of the write that comes now.
    replica.says(&["REPLICAOF", "NO", "ONE"], "OK").await;
    writer.invalidate(&repository(), Kind::Manifest).await.unwrap();
    let reader = node(&replica.url(), &epochs).await;
    replica.says(&["EXISTS", &name], "1").await;
    assert_eq!(found(&reader, tag("v1")).await, None);
    put(&reader, tag("v1"), "second").await;
    let other = node(&replica.url(), &epochs).await;
    assert_eq!(found(&other, tag("v1")).await.unwrap(), "second");
}

#[tokio::test]
async fn a_replica_vouches_for_nothing() {
    let Pair { _primary, replica, epochs, .. } = Pair::start().await;
    let reader = node(&replica.url(), &epochs).await;
    let Lookup::Miss(ticket) = reader.get(tag("v1")).await else { panic!("a replica may lag") };
    assert_eq!(ticket.shared, 0);
}

#[tokio::test]
async fn a_server_that_comes_back_with_what_it_had_serves_none_of_it() {
    let mut server = Server::start();
    server.says(&["PING"], "PONG").await;
    let epochs = MemoryEpochs::new();
    let before = node(&server.url(), &epochs).await;
    put(&before, tag("v1"), "first").await;
    let name = super::super::value_key(before.watch.current().unwrap(), &tag("v1"));
    server.start_again().await;
    server.says(&["EXISTS", &name], "1").await;
    let after = node(&server.url(), &epochs).await;
    assert_eq!(found(&after, tag("v1")).await, None);
}
