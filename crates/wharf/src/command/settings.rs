//! The flags that set settings, shared by every command that reads the configuration.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Flags, Loaded, Problems, load};

/// The flags. Their values are texts: the setting's own type reads them, as in every layer.
#[derive(Debug, Args)]
pub struct SettingFlags {
    /// Read settings from this TOML file [env: WHARF_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve on this address and port [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Keep everything in this folder [default: ./wharf-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Do only this: registry, jobs, token [default: all]
    #[arg(long, value_name = "ROLES")]
    roles: Option<String>,
    /// Serve everyone who can connect: they can push and pull
    #[arg(long)]
    open: bool,
}

impl SettingFlags {
    /// Reads the settings of all layers; see [`load`].
    pub fn load(&self) -> Result<Loaded, Problems> {
        let texts = [
            ("--listen", "http.listen", self.listen.clone()),
            ("--data", "data.folder", self.data.clone()),
            ("--roles", "node.roles", self.roles.clone()),
            ("--open", "http.open", self.open.then(|| "true".to_owned())),
        ];
        let given = |(flag, key, text): (_, _, Option<String>)| Some((flag, key, text?));
        let settings = texts.into_iter().filter_map(given).collect();
        load(&Flags { file: self.config.clone(), settings }, std::env::vars_os())
    }
}

/// Prints the warnings of loading on stderr.
pub fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        eprintln!("wharf: warning: {warning}");
    }
}
