//! The servers side by side: how each is set up, started and waited for.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::programs::Programs;
use wharf_bench::http::Connection;
use wharf_bench::process::{Guarded, free_address};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// This program.
    Wharf,
    /// nginx with sendfile.
    Nginx,
    /// Debian's docker-registry.
    Registry,
    /// `dd conv=fdatasync`.
    Dd,
    /// This program on PostgreSQL, S3 and Redis.
    Shared,
    /// A client's own multipart upload to that S3.
    Multipart,
}

impl Subject {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wharf => "wharf",
            Self::Nginx => "nginx",
            Self::Registry => "docker-registry",
            Self::Dd => "dd",
            Self::Shared => "shared",
            Self::Multipart => "multipart",
        }
    }

    /// Whether it is a server, which can be pulled from.
    pub fn serves(self) -> bool {
        !matches!(self, Self::Dd | Self::Multipart)
    }
}

/// A server that runs.
pub struct Server {
    /// Which one.
    pub subject: Subject,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long it took from its start to its first reply.
    pub started_in: Duration,
    process: Guarded,
}

impl Server {
    /// Starts `subject` on what `folder` holds, and waits for its first reply. `settings` are variables for it.
    pub fn start(
        subject: Subject,
        programs: &Programs,
        folder: &Path,
        settings: &[(&str, String)],
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let address = free_address()?;
        let mut command = match subject {
            Subject::Wharf | Subject::Shared => wharf(programs, folder, address),
            Subject::Nginx => nginx(programs, folder, address)?,
            Subject::Registry => registry(programs, folder, address)?,
            Subject::Dd | Subject::Multipart => anyhow::bail!("{} serves nothing", subject.name()),
        };
        command.envs(settings.iter().map(|(name, text)| (name, text)));
        let log = folder.with_extension("log");
        command.stdout(Stdio::null()).stderr(File::create(&log)?);
        let begin = Instant::now();
        let mut process = Guarded::spawn(&mut command)?;
        while !replies(subject, address) {
            ensure!(
                !process.has_ended() && begin.elapsed() < Duration::from_secs(30),
                "{} did not start: {}",
                subject.name(),
                fs::read_to_string(&log).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { subject, address, started_in: begin.elapsed(), process })
    }

    /// The id of its process.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Opens a connection to it.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address)
            .with_context(|| format!("connecting to {}", self.subject.name()))
    }
}

fn replies(subject: Subject, address: SocketAddr) -> bool {
    let status = Connection::open(address)
        .and_then(|mut connection| connection.call("GET", "/v2/", "", b""))
        .map(|reply| reply.status);
    // nginx has no such file, and says so.
    matches!(status, Ok(200)) || (subject == Subject::Nginx && status.is_ok())
}

fn wharf(programs: &Programs, folder: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(&programs.wharf);
    command.arg("serve").arg("--data").arg(folder).arg("--listen").arg(address.to_string());
    // What is set for others is no setting of this one.
    let others = std::env::vars_os().map(|(variable, _)| variable);
    for variable in others.filter(|it| it.to_string_lossy().starts_with("WHARF_")) {
        command.env_remove(variable);
    }
    command.env("WHARF_LOG_ACCESS", "off").current_dir(folder);
    command
}

/// Serves the files in the folder.
fn nginx(programs: &Programs, folder: &Path, address: SocketAddr) -> Result<Command> {
    let at = folder.display();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/temporary;\n"))
        .concat();
    let text = format!(
        "{user}
daemon off;
worker_processes auto;
pid {at}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    {temporary}
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    default_type application/octet-stream;
    server {{ listen {address}; root {at}; }}
}}
"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    let mut command = Command::new(&programs.nginx);
    command.arg("-p").arg(folder).arg("-e").arg("stderr").arg("-c").arg(file);
    Ok(command)
}

fn registry(programs: &Programs, folder: &Path, address: SocketAddr) -> Result<Command> {
    let at = folder.display();
    let text = format!(
        "version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {at}
  cache:
    blobdescriptor: inmemory
http:
  addr: {address}
  secret: bench
"
    );
    let file = folder.join("config.yml");
    fs::write(&file, text)?;
    let mut command = Command::new(&programs.registry);
    command.arg("serve").arg(file);
    Ok(command)
}
