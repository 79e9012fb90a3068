//! The `wharf` program: runs what the command line asks for and tells how it ended.

mod command;
mod config;
mod data_folder;
mod telemetry;

use std::io::ErrorKind;
use std::process::ExitCode;

use config::Problems;

/// The exit code for settings that are wrong, which is also clap's for a wrong command line.
const BAD_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    match command::run(command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(report(&error)),
    }
}

/// Tells the error on stderr, a line for each problem, and returns the exit code.
fn report(error: &anyhow::Error) -> u8 {
    if let Some(Problems(problems)) = error.downcast_ref() {
        for problem in problems {
            eprintln!("wharf: {problem}");
        }
        return BAD_SETTINGS;
    }
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    // Who reads our output has read enough, as `head` does.
    if io.is_none_or(|error| error.kind() != ErrorKind::BrokenPipe) {
        eprintln!("wharf: {error:#}");
    }
    1
}
