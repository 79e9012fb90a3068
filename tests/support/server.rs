//! One `wharf serve` for one test: on a port that the system chose, with a data folder of its own, killed on drop.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::program;
use super::registry::Registry;

/// Long enough for a debug build on a busy machine to recover its data folder.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Long enough for a stop with everything that it waits for.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// A server's process, however far it has come. Dropping it kills it.
pub struct Process {
    child: Child,
    data: PathBuf,
    /// Where this process begins in the log, which servers over the same data share.
    log_start: u64,
}

/// A running server. Dropping it kills it, and removes the data that [`Server::start`] made.
pub struct Server {
    process: Process,
    port: u16,
    folder: Option<TempDir>,
}

impl Process {
    /// Starts a server over this data folder, with these settings on top of the environment's.
    pub fn launch(data: &Path, settings: &[(&str, &str)]) -> Process {
        Process::launch_by(Command::new(program()), data, settings)
    }

    /// The same by a command that ends in the program, such as a shell that sets a limit first.
    pub fn launch_by(mut command: Command, data: &Path, settings: &[(&str, &str)]) -> Process {
        let log = File::options().create(true).append(true).open(log_beside(data)).unwrap();
        let log_start = log.metadata().unwrap().len();
        let child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Process { child, data: data.to_owned(), log_start }
    }

    /// Waits until the server has said where it listens.
    pub fn ready(mut self) -> Server {
        let mut port = None;
        program::wait_until("the server says where it listens", READY_WITHIN, || {
            // First whether it has ended, so that what it said last is not missed.
            let ended = self.child.try_wait().unwrap();
            port = announced_port(&self.log());
            if let (None, Some(status)) = (port, ended) {
                panic!("the server ended before it was ready: {status}\n{}", self.log());
            }
            port.is_some()
        });
        Server { port: port.unwrap(), process: self, folder: None }
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What this process has written so far, to stdout and stderr.
    pub fn log(&self) -> String {
        let log = fs::read(log_beside(&self.data)).unwrap_or_default();
        String::from_utf8_lossy(log.get(self.log_start as usize..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            eprintln!("the server's last words:\n{}", last.join("\n"));
        }
    }
}

impl Server {
    /// Starts a server over an empty data folder, and waits until it listens.
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// The same with these settings, as environment variables.
    pub fn start_with(settings: &[(&str, &str)]) -> Server {
        let folder = TempDir::new().unwrap();
        let mut server = Process::launch(&folder.path().join("data"), settings).ready();
        server.folder = Some(folder);
        server
    }

    /// Starts a server over this data folder, and waits until it listens.
    pub fn start_in(data: &Path) -> Server {
        Process::launch(data, &[]).ready()
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
        self.process.child.id()
    }

    /// Where the server keeps everything.
    pub fn data(&self) -> &Path {
        &self.process.data
    }

    /// What the server has written so far, to stdout and stderr.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The same, with what those wrote that served over the same data before.
    pub fn whole_log(&self) -> String {
        let log = fs::read(log_beside(&self.process.data)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(self) {
        self.process.kill();
    }

    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id() as i32).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Asks for a stop without waiting for it.
    pub fn begin_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until the server has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        program::wait_until("the server has ended", ENDED_WITHIN, || {
            status = self.process.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// A number of kB from `/proc/PID/status`, in bytes.
    pub fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

/// The program under test; by `WHARF_PROGRAM` another build of it, such as a released one.
pub fn program() -> String {
    std::env::var("WHARF_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_wharf").to_owned())
}

/// The port in a greeting such as `wharf 0.1.0 serves http://127.0.0.1:41211`, once its line is whole.
fn announced_port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(" serves http")?;
    let (line, _) = rest.split_once('\n')?;
    Some(line.rsplit_once(':')?.1.parse().unwrap())
}

/// The log of every server over this data, one after the other.
fn log_beside(data: &Path) -> PathBuf {
    data.with_extension("log")
}
