//! A program of PostgreSQL's that runs, and what it says.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};

use super::BackupError;
use crate::postgres::PostgresSettings;

/// A program of PostgreSQL's that speaks to a database.
pub(super) fn command(name: &str, settings: &PostgresSettings) -> Command {
    let mut command = Command::new(name);
    command.envs(settings.environment());
    command
}

pub(super) fn not_started(error: &std::io::Error) -> String {
    format!(
        "it cannot be started: {error}; install PostgreSQL's client programs, of the server's version or newer"
    )
}

/// A program that runs, and what it complains of.
pub(super) struct Program {
    name: &'static str,
    pub(super) child: Child,
    complaints: Option<std::thread::JoinHandle<String>>,
}

/// The most of a program's complaints that is told.
const LONGEST_COMPLAINT: u64 = 4096;

impl Program {
    pub(super) fn start(name: &'static str, mut command: Command) -> Result<Self, BackupError> {
        let failed = |reason| BackupError::Program { program: name, reason };
        let mut child = command.spawn().map_err(|error| failed(not_started(&error)))?;
        let complaints = child.stderr.take().map(|mut said| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = said.by_ref().take(LONGEST_COMPLAINT).read_to_end(&mut text);
                // The rest, so that it does not wait for who reads.
                let _ = std::io::copy(&mut said, &mut std::io::sink());
                String::from_utf8_lossy(&text).trim().to_owned()
            })
        });
        Ok(Self { name, child, complaints })
    }

    pub(super) fn failed(&self, reason: String) -> BackupError {
        BackupError::Program { program: self.name, reason }
    }

    /// What it prints, read meanwhile.
    pub(super) fn rows(&mut self) -> std::thread::JoinHandle<std::io::Result<Vec<String>>> {
        let output = self.child.stdout.take();
        std::thread::spawn(move || match output {
            Some(output) => BufReader::new(output).lines().collect(),
            None => Ok(Vec::new()),
        })
    }

    /// Waits until it has ended well.
    pub(super) fn end(&mut self) -> Result<(), BackupError> {
        drop(self.child.stdin.take());
        drop(self.child.stdout.take());
        let status = self.child.wait().map_err(|error| self.failed(error.to_string()))?;
        let complaints = self.complaints.take().and_then(|reader| reader.join().ok());
        if status.success() {
            return Ok(());
        }
        let said = complaints.filter(|said| !said.is_empty());
        Err(self.failed(said.unwrap_or_else(|| status.to_string())))
    }
}
