//! Settings: one table, four layers, and one line for each mistake.

mod access;
mod declare;
mod delivery;
mod document;
mod environment;
mod file;
mod layers;
mod ldap;
mod logging;
mod nearest;
mod network;
mod oidc;
mod place;
mod problem;
mod quantity;
mod redact;
mod role;
mod rules;
mod several;
mod table;
mod workloads;

use std::ffi::OsString;
use std::path::PathBuf;

pub use access::SignUp;
pub use declare::Setting;
pub use delivery::{CdnSignature, DeliveryMode};
pub use document::document;
pub use layers::Layers;
pub use ldap::clear as sends_passwords_in_the_clear;
pub use logging::{AccessLog, LogFormat};
pub use oidc::Text;
pub use place::{AdoptedUrl, BlobsUrl, CacheUrl, DatabaseUrl};
pub use problem::{Origin, Problems};
pub use quantity::{Bytes, Period};
pub use role::Role;
pub use rules::{is_wide, keeps_data_folder};
pub use table::{Config, Ldap, SETTINGS, Traces};
pub use workloads::IssuerUrl;

use environment::CONFIG_VARIABLE;

/// The highest layer: what the command line says.
#[derive(Debug, Default)]
pub struct Flags {
    /// The configuration file of `--config`.
    pub file: Option<PathBuf>,
    /// Settings with a flag of their own: its name, the setting's key, the text.
    pub settings: Vec<(&'static str, &'static str, String)>,
}

/// Settings that are sound, and how they came about.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Who gave what.
    pub layers: Layers,
    /// Things to tell, a line each, that stop nothing.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Refuses settings that would serve everyone without being told to; see [`rules::not_open`].
    pub fn require_open(&self) -> Result<(), Problems> {
        rules::not_open(&self.config, &self.layers).map_or(Ok(()), |it| Err(Problems(vec![it])))
    }
}

/// Reads all layers. `variables` is the environment, as of [`std::env::vars_os`]. Every mistake of
/// every layer is told at once.
pub fn load(
    flags: &Flags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Problems> {
    let variables: Vec<_> = variables.into_iter().collect();
    let mut layers = Layers::default();
    let mut problems = Vec::new();
    if let Some((path, origin)) = configuration_file(flags, &variables) {
        file::put(&path, &origin, &mut layers, &mut problems);
    }
    let unknown = environment::put(variables, &mut layers, &mut problems);
    for (flag, key, text) in &flags.settings {
        if let Some(setting) = nearest::exact(key) {
            layers.put(setting, text.clone(), Origin::Flag(flag));
        }
    }
    let config = Config::read(&layers, &mut problems);
    if let Some(config) = &config {
        problems.extend(rules::broken(config));
    }
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, layers, warnings: warnings(&unknown) })
        }
        _ => Err(Problems(problems)),
    }
}

/// The file that a flag, or else the environment, names, and which of them did.
fn configuration_file(
    flags: &Flags,
    variables: &[(OsString, OsString)],
) -> Option<(PathBuf, Origin)> {
    if let Some(path) = &flags.file {
        return Some((path.clone(), Origin::Flag("--config")));
    }
    let (_, path) =
        variables.iter().find(|(name, path)| name == CONFIG_VARIABLE && !path.is_empty())?;
    Some((path.into(), Origin::Environment(CONFIG_VARIABLE.to_owned())))
}

fn warnings(unknown: &[String]) -> Vec<String> {
    match unknown {
        [] => Vec::new(),
        [one] => vec![format!("{one} names no setting and is ignored")],
        many => vec![format!("{} name no settings and are ignored", many.join(", "))],
    }
}

#[cfg(test)]
mod tests;
