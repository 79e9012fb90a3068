//! One `wharf serve` for one test: a free port, a data folder of its own, killed on drop.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::program;
use super::registry::Registry;

/// Long enough for a debug build on a busy machine to recover its data folder.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it, and removes the data that [`Server::start`] made.
pub struct Server {
    child: Child,
    port: u16,
    data: PathBuf,
    folder: Option<TempDir>,
}

impl Server {
    /// Starts a server over an empty data folder, and waits until it answers.
    pub fn start() -> Server {
        let folder = TempDir::new().unwrap();
        let mut server = Server::launch(&folder.path().join("data"), free_port());
        server.folder = Some(folder);
        server.wait_until_ready();
        server
    }

    /// Starts a server over this data folder on this port, and waits until it answers.
    pub fn start_in(data: &Path, port: u16) -> Server {
        let mut server = Server::launch(data, port);
        server.wait_until_ready();
        server
    }

    /// Starts a server and returns at once, however far it has come.
    pub fn launch(data: &Path, port: u16) -> Server {
        // For another build than the one under test, such as a released one.
        let program = std::env::var("WHARF_PROGRAM");
        let program = program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_wharf"));
        let log = File::options().create(true).append(true).open(log_beside(data)).unwrap();
        let child = Command::new(program)
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Server { child, port, data: data.to_owned(), folder: None }
    }

    fn wait_until_ready(&mut self) {
        let registry = self.registry();
        program::wait_until("the server answers /v2/", READY_WITHIN, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended before it was ready: {status}");
            }
            registry.get("/v2/").is_ok()
        });
    }

    /// A client that speaks to this server.
    pub fn registry(&self) -> Registry {
        Registry::at(&self.address())
    }

    /// `127.0.0.1:PORT`, as it stands before a repository name.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where the server keeps everything.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A number of kB from `/proc/PID/status`, in bytes.
    pub fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(log_beside(&self.data)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's last words:\n{}", self.log_tail());
        }
    }
}

/// The log of every server over this data, one after the other.
fn log_beside(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// A port that nobody listens on, outside the range from which the kernel picks on its own.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 10_000) as u16;
    for _ in 0..10_000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 29999");
}
