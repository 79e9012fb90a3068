//! The TOML file as a layer of settings, with the line of each.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::Layers;
use super::nearest::{exact, nearest};
use super::problem::{Origin, Problem};
use super::table::SECTIONS;

/// The section whose settings are given for each of several things, each of which may have a section below it.
const OF_EACH: &str = "oidc";

/// Reads the file and puts its settings. `origin` says who named the file, for messages.
pub fn put(path: &Path, origin: &Origin, layers: &mut Layers, problems: &mut Vec<Problem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mut file = File { path, text: &text, layers, found: Vec::new() };
            file.put();
            file.found.sort_by_key(|(line, _)| *line);
            problems.extend(file.found.into_iter().map(|(_, problem)| problem));
        }
        Err(error) => problems.push(Problem::new(format!(
            "the configuration file {} (from {origin}) cannot be read: {error}",
            path.display()
        ))),
    }
}

/// A file that is being read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    layers: &'a mut Layers,
    /// What is wrong, each with its line.
    found: Vec<(usize, Problem)>,
}

impl File<'_> {
    fn put(&mut self) {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            // Not the error's `Display`, which shows the line: a password may stand on it.
            let at = error.span().map_or(0, |span| span.start);
            self.problem(at, &format!("this is not TOML: {}", error.message()));
        }
        // What could still be read of a broken file would only be told as further problems.
        if !errors.is_empty() {
            return;
        }
        for (section, content) in document.get_ref() {
            match content.get_ref().as_table() {
                Some(table) => self.section(section.get_ref(), table),
                None => self.unknown(section.span().start, section.get_ref()),
            }
        }
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{section}.{}", name.get_ref());
            if let (OF_EACH, Some(of_one)) = (section, value.get_ref().as_table()) {
                self.section_of_one(section, name.get_ref(), of_one);
                continue;
            }
            match exact(&key) {
                Some(setting) => match text_of(value) {
                    Some(text) => {
                        let origin = Origin::File(self.path.into(), self.line(value.span().start));
                        self.layers.put(setting, text, origin);
                    }
                    None => {
                        let must_be = setting.must_be;
                        let found = value.get_ref().type_str();
                        let message = format!("{key} is a TOML {found}; it must be {must_be}");
                        self.problem(value.span().start, &message);
                    }
                },
                None => self.unknown(name.span().start, &key),
            }
        }
    }

    /// Settings of one of several things: `issuer` in `[oidc.dex]` is `dex=…` of `oidc.issuer`.
    fn section_of_one(&mut self, section: &str, thing: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let (key, at) = (format!("{section}.{}", name.get_ref()), value.span().start);
            let Some(setting) = exact(&key) else {
                self.unknown(name.span().start, &key);
                continue;
            };
            let values = match value.get_ref() {
                DeValue::Array(items) => items.iter().map(text_of).collect(),
                _ => text_of(value).map(|text| vec![text]),
            };
            let values: Vec<String> = values.unwrap_or_default();
            if values.is_empty() || values.iter().any(|value| value.contains(',')) {
                let message = format!(
                    "{} of {section}.{thing} is no text, or one with a comma, which stands between values",
                    name.get_ref()
                );
                self.problem(at, &message);
                continue;
            }
            let before = self.layers.get(setting).text;
            let before = (!before.is_empty()).then_some(before);
            let values = values.iter().map(|value| format!("{thing}={value}"));
            let text = before.into_iter().chain(values).collect::<Vec<_>>().join(",");
            let origin = Origin::File(self.path.into(), self.line(at));
            self.layers.put(setting, text, origin);
        }
    }

    fn unknown(&mut self, at: usize, key: &str) {
        let is_section = SECTIONS.iter().any(|(section, _)| *section == key);
        let hint = match nearest(key) {
            _ if is_section => format!("; {key} is a section, written [{key}]"),
            Some(setting) => format!("; did you mean {}?", setting.key),
            None => "; `wharf config show` lists all settings".to_owned(),
        };
        self.problem(at, &format!("there is no setting {key}{hint}"));
    }

    fn problem(&mut self, at: usize, message: &str) {
        let line = self.line(at);
        let place = Origin::File(self.path.into(), line);
        self.found.push((line, Problem::new(format!("{place}: {message}"))));
    }

    /// The line, counted from 1, that holds the byte at this offset.
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

/// A TOML value as the text that its type reads; arrays become lists with commas. Tables and dates
/// are no values of any setting.
fn text_of(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        // Without the prefix and `_`; a number too large is left to the type to refuse.
        DeValue::Integer(number) => {
            let decimal = i64::from_str_radix(number.as_str(), number.radix());
            Some(decimal.map_or_else(|_| number.to_string(), |number| number.to_string()))
        }
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(text_of).collect();
            Some(items?.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
