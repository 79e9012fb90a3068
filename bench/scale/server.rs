//! `wharf` on one database: its schema made, and served without a cache.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wharf_bench::http::Connection;
use wharf_bench::process::{self, Guarded, free_address};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a wharf keeps things.
pub struct Place {
    /// The program.
    pub wharf: PathBuf,
    /// The data folder.
    pub folder: PathBuf,
    /// `database.url`. It may hold a password.
    pub database: String,
}

/// A wharf that serves.
pub struct Server {
    address: SocketAddr,
    _process: Guarded,
}

impl Place {
    /// Makes the tables.
    pub fn migrate(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        process::output(&mut self.command("migrate"))?;
        Ok(())
    }

    /// Starts to serve, and waits for the first reply.
    pub fn serve(&self) -> Result<Server> {
        let address = free_address()?;
        let log = self.folder.with_extension("log");
        let mut command = self.command("serve");
        command.arg("--listen").arg(address.to_string());
        command.stdout(Stdio::null()).stderr(File::create(&log)?);
        let begin = Instant::now();
        let mut process = Guarded::spawn(&mut command)?;
        while !replies(address) {
            ensure!(
                !process.has_ended() && begin.elapsed() < PATIENCE,
                "wharf did not start: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Server { address, _process: process })
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.wharf);
        command.arg(name).arg("--data").arg(&self.folder).current_dir(&self.folder);
        // What is set for others is no setting of this one.
        let others = std::env::vars_os().map(|(variable, _)| variable);
        for variable in others.filter(|it| it.to_string_lossy().starts_with("WHARF_")) {
            command.env_remove(variable);
        }
        command
            .env("WHARF_DATABASE_URL", &self.database)
            .env("WHARF_CACHE_SIZE", "0")
            .env("WHARF_LOG_ACCESS", "off");
        command
    }
}

impl Server {
    /// Opens a connection to it.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address)
    }
}

fn replies(address: SocketAddr) -> bool {
    let status = Connection::open(address)
        .and_then(|mut connection| connection.call("GET", "/v2/", "", b""))
        .map(|reply| reply.status);
    matches!(status, Ok(200))
}
