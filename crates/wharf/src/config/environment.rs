//! The environment as a layer of settings: `WHARF_SECTION_NAME`.

use std::ffi::OsString;

use super::layers::Layers;
use super::nearest::{exact, nearest};
use super::problem::{Origin, Problem};

/// The variable that names the configuration file; it is no setting.
pub const CONFIG_VARIABLE: &str = "WHARF_CONFIG";

/// Puts the settings among `variables`, and returns those that begin with `WHARF_` but name no
/// setting. They are no errors: Kubernetes sets `WHARF_PORT` and the like for a service so named.
pub fn put(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    layers: &mut Layers,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let mut unknown = Vec::new();
    for (variable, value) in variables {
        let Some(variable) = variable.to_str().filter(|name| *name != CONFIG_VARIABLE) else {
            continue;
        };
        let Some(key) = key_of(variable) else { continue };
        match (exact(&key), value.into_string()) {
            (Some(setting), Ok(text)) => {
                layers.put(setting, text, Origin::Environment(variable.to_owned()));
            }
            (Some(setting), Err(_)) => problems.push(Problem::new(format!(
                "{} (from {variable}) is not UTF-8; it must be {}",
                setting.key, setting.must_be
            ))),
            (None, _) => unknown.push(match nearest(&key) {
                Some(setting) => format!("{variable} (did you mean {}?)", setting.variable()),
                None => variable.to_owned(),
            }),
        }
    }
    unknown.sort();
    unknown
}

/// `WHARF_HTTP_MAX_CONNECTIONS` → `http.max_connections`; none for other programs' variables.
fn key_of(variable: &str) -> Option<String> {
    Some(variable.strip_prefix("WHARF_")?.replacen('_', ".", 1).to_lowercase())
}
