//! A server's process, ended with this program however that ends.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server may take to end.
const GOODBYE: Duration = Duration::from_secs(10);

/// A server's process.
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program, as `user` where one is named. The kernel ends it should this one die first.
    pub fn start(
        name: &str,
        folder: &Path,
        user: Option<&str>,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: &[String],
    ) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some(user) = user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        command.arg(program).args(arguments).current_dir(folder);
        let child = command.stdin(std::process::Stdio::null()).stdout(output.try_clone()?);
        let child = child.stderr(output).spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { child, name: name.to_owned(), log })
    }

    /// Waits until it listens on `port`.
    pub fn listens(mut self, port: u16) -> Result<Self> {
        let (address, begin) = (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Instant::now());
        while TcpStream::connect(address).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begin.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{} does not listen on {port} ({ended:?}); it said:\n{said}", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first, so that PostgreSQL can end the processes that it started itself.
        let _ = Command::new("kill").args(["-s", "INT", &self.child.id().to_string()]).status();
        let begin = Instant::now();
        while ["postgres", "replica"].contains(&self.name.as_str()) && begin.elapsed() < GOODBYE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free right now, below those that the system gives to clients.
pub fn free_port() -> Result<u16> {
    let first = 11_000 + (std::process::id() % 1_000) as u16 * 8;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    static USED: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());
    let mut used = USED.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    let port =
        (first..22_000).find(|port| !used.contains(port) && free(port)).context("no free port")?;
    used.push(port);
    Ok(port)
}
