//! The wharf program that is measured: the one named, else a new release build.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process;

/// The program at `named`, or one built now.
///
/// # Errors
/// When there is none at `named`, or it cannot be built.
pub fn wharf(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string()),
        None => build(),
    }
}

/// The version that a program tells of itself, in a line.
pub fn version(program: &Path, argument: &str) -> String {
    let printed = Command::new(program).arg(argument).output();
    let text = printed.map(|printed| [printed.stdout, printed.stderr].concat());
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// Builds wharf for release, and takes cargo's word for where it is.
fn build() -> Result<PathBuf> {
    eprintln!("building wharf (cargo build --release -p wharf)");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "-p", "wharf", "--message-format=json-render-diagnostics"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stderr(Stdio::inherit());
    let messages = process::output(&mut command)?;
    let mut artifacts = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "wharf").then_some(())?;
        message["executable"].as_str().map(PathBuf::from)
    });
    artifacts.next_back().context("cargo built no wharf")
}
