//! Finds the setting that somebody who wrote a wrong key most likely meant.

use super::declare::Setting;
use super::table::SETTINGS;

/// The setting with exactly this key.
pub fn exact(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The setting whose key, or name alone, differs from `written` by few letters; none where every
/// setting differs by more than a third of its letters.
pub fn nearest(written: &str) -> Option<&'static Setting> {
    let name = written.rsplit('.').next().unwrap_or(written);
    let distance = |setting: &Setting| {
        let whole = strsim::damerau_levenshtein(written, setting.key);
        // A right name in a wrong section, or in none, counts as one wrong letter.
        let name_only = 1 + strsim::damerau_levenshtein(name, setting.name());
        (whole * 3 <= setting.key.len())
            .then_some(whole)
            .into_iter()
            .chain((name_only * 3 <= setting.name().len()).then_some(name_only))
            .min()
    };
    let found = SETTINGS.iter().filter_map(|setting| Some((distance(setting)?, setting)));
    found.min_by_key(|(distance, _)| *distance).map(|(_, setting)| setting)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    fn suggestion(written: &str) -> Option<&'static str> {
        nearest(written).map(|setting| setting.key)
    }

    #[test]
    fn a_mistyped_key_finds_its_setting() {
        assert_eq!(suggestion("http.lisen"), Some("http.listen"));
        assert_eq!(suggestion("htpp.listen"), Some("http.listen"));
        assert_eq!(suggestion("uploads.max_inflight"), Some("uploads.max_in_flight"));
    }

    #[test]
    fn a_name_in_the_wrong_section_finds_its_setting() {
        assert_eq!(suggestion("server.external_url"), Some("http.external_url"));
        assert_eq!(suggestion("page_size"), Some("registry.page_size"));
    }

    #[test]
    fn something_else_finds_nothing() {
        assert_eq!(suggestion("storage.s3.bucket"), None);
    }
}
