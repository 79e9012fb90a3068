//! Processes that end with this one: each is known by its id, and only those are ever ended.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a process may take to stop when asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// What must be gone when the benchmark ends, however it ends.
struct Leftovers {
    groups: Vec<Pid>,
    folder: Option<PathBuf>,
}

static LEFTOVERS: Mutex<Leftovers> = Mutex::new(Leftovers { groups: Vec::new(), folder: None });

fn leftovers() -> MutexGuard<'static, Leftovers> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that is ended when this is dropped.
pub struct Guarded {
    child: Child,
    pid: Pid,
}

impl Guarded {
    /// Starts `command` in a process group of its own.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let name = command.get_program().to_string_lossy().into_owned();
        let mut leftovers = leftovers();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let pid = Pid::from_child(&child);
        leftovers.groups.push(pid);
        Ok(Self { child, pid })
    }

    /// The process's id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Waits for its end, and says whether that was a success.
    pub fn wait(mut self) -> Result<bool> {
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = kill_process(self.pid, Signal::TERM);
        }
        let asked = Instant::now();
        while !self.has_ended() {
            if asked.elapsed() > PATIENCE {
                let _ = kill_process_group(self.pid, Signal::KILL);
                let _ = self.child.wait();
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        leftovers().groups.retain(|pid| *pid != self.pid);
    }
}

/// Runs `command` to its end and returns what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    use std::io::Read;
    let mut guarded = Guarded::spawn(command.stdout(Stdio::piped()))?;
    let mut printed = String::new();
    if let Some(stdout) = &mut guarded.child.stdout {
        stdout.read_to_string(&mut printed)?;
    }
    let name = command.get_program().to_string_lossy();
    anyhow::ensure!(guarded.wait()?, "{name} failed: {}", printed.trim());
    Ok(printed)
}

/// An address of this machine that nothing listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// On Ctrl-C and on SIGTERM, ends what was started and removes `folder`.
pub fn clean_up_when_interrupted(folder: PathBuf) -> Result<()> {
    leftovers().folder = Some(folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        if runtime.block_on(interrupted()).is_ok() {
            clean_up();
            std::process::exit(130);
        }
    });
    Ok(())
}

async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The lock is kept until the program ends, so that nothing is started any more.
fn clean_up() {
    let leftovers = leftovers();
    for signal in [Signal::TERM, Signal::KILL] {
        for pid in &leftovers.groups {
            let _ = kill_process_group(*pid, signal);
        }
        thread::sleep(Duration::from_millis(500));
    }
    if let Some(folder) = &leftovers.folder {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::mem::forget(leftovers);
}
