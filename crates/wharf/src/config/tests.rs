//! The table and the layers, tried without a process.
#![allow(clippy::unwrap_used)]

use super::table::SECTIONS;
use super::*;

fn load_with(variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    load(&Flags::default(), variables.iter().map(|(name, value)| (name.into(), value.into())))
}

#[test]
fn the_defaults_are_sound_and_shown_as_they_were_written() {
    let loaded = load_with(&[]).unwrap();
    for (setting, text) in SETTINGS.iter().zip(loaded.config.texts()) {
        let written = match setting.default {
            "24h" => "1d",
            "60s" => "1m",
            default => default,
        };
        assert_eq!(text, written, "{}", setting.key);
    }
}

#[test]
fn every_key_has_one_dot_and_every_setting_words() {
    for setting in SETTINGS {
        assert_eq!(setting.key.matches('.').count(), 1, "{}", setting.key);
        // The first `_` of a variable separates section and name, so a section holds none.
        assert!(!setting.section().contains('_'), "{}", setting.key);
        assert!(setting.documentation.trim().ends_with('.'), "{}", setting.key);
        assert!(SECTIONS.iter().any(|(section, _)| *section == setting.section()));
        let secret =
            ["url", "direct_url", "replica_urls", "adopted", "client_secret", "bind_password"];
        assert_eq!(setting.secret, secret.contains(&setting.name()), "{}", setting.key);
    }
}

#[test]
fn every_variable_reaches_its_setting() {
    for setting in SETTINGS {
        let loaded = load_with(&[(setting.variable().as_str(), setting.default)]).unwrap();
        let origin = loaded.layers.get(setting).origin;
        assert_eq!(origin, Origin::Environment(setting.variable()));
        assert!(loaded.warnings.is_empty());
    }
}
