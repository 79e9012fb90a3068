//! `wharf config`: checks, shows and documents the settings.

use std::io::{Write, stdout};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::settings::{SettingFlags, warn};
use crate::config::{Loaded, Origin, Problems, SETTINGS, Setting, document};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Tell whether `wharf serve` would take the settings.
    Check(Output),
    /// Print every setting and where it came from.
    Show(Output),
    /// Print docs/configuration.md.
    #[command(hide = true)]
    Docs,
}

/// The settings to look at, and how to print them.
#[derive(Debug, Args)]
pub struct Output {
    #[command(flatten)]
    settings: SettingFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command. Settings that are wrong are an error of both `check` and `show`.
pub fn execute(command: &Config) -> anyhow::Result<()> {
    match command {
        Config::Check(output) => check(output),
        Config::Show(output) => show(output),
        Config::Docs => Ok(write!(stdout(), "{}", document())?),
    }
}

fn check(output: &Output) -> anyhow::Result<()> {
    let outcome = output.settings.load().and_then(|loaded| {
        loaded.require_open()?;
        Ok(loaded)
    });
    if output.json {
        let problems = outcome.as_ref().err().map_or(&[][..], |Problems(problems)| problems);
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let warnings = outcome.as_ref().map_or(&[][..], |loaded| &loaded.warnings);
        let sound = lines.is_empty();
        let reply = json!({ "sound": sound, "problems": lines, "warnings": warnings });
        writeln!(stdout(), "{reply}")?;
    }
    let loaded = outcome?;
    if !output.json {
        warn(&loaded);
        let set = |setting: &&Setting| loaded.layers.get(setting).origin != Origin::Default;
        let set = SETTINGS.iter().filter(set).count();
        writeln!(stdout(), "the settings are sound: {set} of {} are set", SETTINGS.len())?;
    }
    Ok(())
}

fn show(output: &Output) -> anyhow::Result<()> {
    let loaded = output.settings.load()?;
    warn(&loaded);
    let text = if output.json { as_json(&loaded) } else { as_toml(&loaded) };
    Ok(write!(stdout(), "{text}")?)
}

/// Every setting as TOML that would be read back as the same settings.
fn as_toml(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut section = "";
    for (setting, value) in SETTINGS.iter().zip(loaded.config.texts()) {
        if setting.section() != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = setting.section();
            text += &format!("{gap}[{section}]\n");
        }
        let (value, origin) = (toml::Value::from(value), loaded.layers.get(setting).origin);
        // A path in the comment could hold a line end.
        let origin = origin.to_string().replace(char::is_control, "?");
        text += &format!("{} = {value} # {origin}\n", setting.name());
    }
    text
}

/// Every setting by its key, with its value and where it came from.
fn as_json(loaded: &Loaded) -> String {
    let entry = |(setting, value): (&Setting, String)| {
        let from = loaded.layers.get(setting).origin.to_string();
        (setting.key.to_owned(), json!({ "value": value, "from": from }))
    };
    let all: Map<_, _> = SETTINGS.iter().zip(loaded.config.texts()).map(entry).collect();
    format!("{:#}\n", Value::Object(all))
}
