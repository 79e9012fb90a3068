//! The programs that are measured and that measure: found, built, or missed in one clear line.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// Where the programs are.
pub struct Programs {
    /// Ours.
    pub wharf: PathBuf,
    /// The yardstick for pulls.
    pub nginx: PathBuf,
    /// The other registry.
    pub registry: PathBuf,
    /// The load generator.
    pub wrk: PathBuf,
}

impl Programs {
    /// Finds all of them, and builds wharf unless `wharf` says where it is.
    pub fn find(wharf: Option<&Path>) -> Result<Self> {
        let mut missing = Vec::new();
        let mut find = |name: &'static str| {
            in_path(name).unwrap_or_else(|| {
                missing.push(name);
                PathBuf::new()
            })
        };
        let (nginx, registry, wrk) = (find("nginx"), find("docker-registry"), find("wrk"));
        if !missing.is_empty() {
            // Debian's packages have the names of the programs.
            let names = missing.join(" ");
            bail!("missing programs: {names} (on Debian: apt-get install {names})");
        }
        let wharf = match wharf {
            Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
            None => build()?,
        };
        Ok(Self { wharf, nginx, registry, wrk })
    }

    /// The version that a program tells of itself, in a line.
    pub fn version(program: &Path, argument: &str) -> String {
        let printed = Command::new(program).arg(argument).output();
        let text = printed.map(|printed| [printed.stdout, printed.stderr].concat());
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        text.lines().next().unwrap_or("unknown").trim().to_owned()
    }
}

/// System programs are in folders that are not in everybody's `PATH`.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
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
