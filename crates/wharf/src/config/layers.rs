//! The layers of settings, the higher hiding the lower: defaults, file, environment, flags.

use std::collections::HashMap;

use super::declare::Setting;
use super::problem::Origin;

/// A text given for a setting, and by whom.
#[derive(Debug, Clone)]
pub struct Given {
    /// The text as it was written.
    pub text: String,
    /// Where it was written.
    pub origin: Origin,
}

/// For each setting that somebody gave, what the highest layer gave.
#[derive(Debug, Default)]
pub struct Layers(HashMap<&'static str, Given>);

impl Layers {
    /// Puts a value over what lower layers gave. Layers must be put lowest first.
    pub fn put(&mut self, setting: &Setting, text: String, origin: Origin) {
        self.0.insert(setting.key, Given { text, origin });
    }

    /// What was given for a setting, else its default.
    pub fn get(&self, setting: &Setting) -> Given {
        let default = || Given { text: setting.default.to_owned(), origin: Origin::Default };
        self.0.get(setting.key).cloned().unwrap_or_else(default)
    }
}
