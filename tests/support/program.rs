//! Running other programs: their output when they succeed, everything they said when they do not.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs the program to its end and returns what it printed, trimmed.
pub fn run(command: &mut Command) -> String {
    attempt(command).unwrap_or_else(|said| panic!("{said}"))
}

/// Runs the program to its end: what it printed, or, when it failed, all that it said.
pub fn attempt(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{}", missing(&name, &error)));
    let stdout = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}\n{}\n{stdout}\n{stderr}", output.status))
}

/// What to say of a program that could not be started at all.
pub fn missing(name: &str, error: &io::Error) -> String {
    format!("{name} cannot be started ({error}); ./test installs what is missing")
}

/// Every program of this name on the search path, each once however many links lead to it.
pub fn all_on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for candidate in std::env::split_paths(&path).map(|folder| folder.join(name)) {
        if let Ok(real) = candidate.canonicalize()
            && !found.contains(&real)
        {
            found.push(real);
        }
    }
    found
}

/// Waits until the condition holds, looking every few milliseconds; fails after the deadline.
pub fn wait_until(what: &str, deadline: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < deadline, "after {deadline:?} still not: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Asks a child to end, and kills it when it has not done so by the deadline.
pub fn end(child: &mut Child, deadline: Duration) {
    let id = child.id().to_string();
    let _ = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status();
    let started = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if started.elapsed() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        sleep(Duration::from_millis(10));
    }
}
