//! Starts the engines that tests work with, runs a command with their addresses in its environment, ends them.
//!
//! `wharf-engines [--durable] [--only NAME,…] COMMAND [ARGUMENT…]`

mod install;
mod process;
mod start;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use start::Engine;

fn main() -> Result<ExitCode> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let durable = arguments.first().is_some_and(|first| first == "--durable");
    arguments.drain(..usize::from(durable));
    let mut engines = Engine::ALL.to_vec();
    if arguments.first().is_some_and(|first| first == "--only") {
        ensure!(arguments.len() > 2, "--only needs the engines' names");
        engines = arguments[1].split(',').map(Engine::named).collect::<Result<_>>()?;
        arguments.drain(..2);
    }
    let Some((program, rest)) = arguments.split_first() else {
        bail!("usage: wharf-engines [--durable] [--only NAME,…] COMMAND [ARGUMENT…]");
    };
    // Beside the build's other results, so that what is installed once is there the next time.
    let installed = std::env::current_dir()?.join("target/engines");
    install::all(&engines, &installed)?;
    let folder = tempfile::Builder::new().prefix("wharf-engines-").tempdir()?;
    let started = start::all(&engines, durable, &installed, folder.path())?;
    let mut command = Command::new(PathBuf::from(program));
    command.args(rest);
    for engine in &started {
        command.env(engine.variable, &engine.address);
    }
    let status = command.status().with_context(|| format!("running {program}"))?;
    drop(started);
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
