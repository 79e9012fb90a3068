//! The programs that are measured and that measure: found, built, or missed in one clear line.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use wharf_bench::program;

use crate::comparison::Comparison;
use crate::servers::Subject;

/// Where the programs are.
pub struct Programs {
    /// Ours.
    pub wharf: PathBuf,
    /// The yardstick for pulls. Empty where it is not measured.
    pub nginx: PathBuf,
    /// The other registry. Empty where it is not measured.
    pub registry: PathBuf,
    /// The load generator.
    pub wrk: PathBuf,
}

impl Programs {
    /// Finds all that `comparison` needs, and builds wharf unless `wharf` says where it is.
    pub fn find(comparison: &Comparison, wharf: Option<&Path>) -> Result<Self> {
        let has = |subject| comparison.subjects().any(|it| it == subject);
        let mut missing = Vec::new();
        let mut find = |name: &'static str, needed: bool| {
            in_path(name).or_else(|| (!needed).then(PathBuf::new)).unwrap_or_else(|| {
                missing.push(name);
                PathBuf::new()
            })
        };
        let nginx = find("nginx", has(Subject::Nginx));
        let registry = find("docker-registry", has(Subject::Registry));
        let wrk = find("wrk", true);
        if !missing.is_empty() {
            // Debian's packages have the names of the programs.
            let names = missing.join(" ");
            bail!("missing programs: {names} (on Debian: apt-get install {names})");
        }
        let wharf = program::wharf(wharf)?;
        Ok(Self { wharf, nginx, registry, wrk })
    }
}

/// System programs are in folders that are not in everybody's `PATH`.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}
