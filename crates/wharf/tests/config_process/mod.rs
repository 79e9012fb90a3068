//! The `wharf` program, started by tests in a folder and an environment of their own.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// `wharf` with these arguments, in `folder`, without any `WHARF_` variable of the outside.
pub fn wharf<A: AsRef<OsStr>>(folder: &Path, arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WHARF_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs to the end; returns the exit code, stdout and stderr.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A server that has said that it is ready.
pub struct Server {
    process: Child,
    /// What it printed for people until then.
    pub greeting: String,
}

impl Server {
    /// Starts the command and waits for the last line of its greeting.
    pub fn start(command: &mut Command) -> Server {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("docker push") {
            assert_ne!(out.read_line(&mut greeting).unwrap(), 0, "it ended: {greeting}");
        }
        process.stdout = Some(out.into_inner());
        Server { process, greeting }
    }

    /// Asks it to stop, waits until it has, and returns what it wrote on stderr.
    pub fn stop(mut self) -> String {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status().unwrap();
        let mut messages = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
        self.process.wait().unwrap();
        messages
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
