//! The `settings!` macro: from one declared table come the typed structs, the reader and the list.

use std::fmt;
use std::str::FromStr;

use super::layers::Layers;
use super::problem::{Problem, Refusal};

/// What is known of a setting without its value: what documentation and messages are made from.
#[derive(Debug)]
pub struct Setting {
    /// The dotted key, `section.name`, with exactly one dot.
    pub key: &'static str,
    /// The default, as it would be written in the file.
    pub default: &'static str,
    /// One sentence for people.
    pub documentation: &'static str,
    /// What the value may be; stands after "must be".
    pub must_be: &'static str,
    /// Whether a value may hold a password, so that one we cannot take apart is not printed at all.
    pub secret: bool,
}

impl Setting {
    /// The name of the environment variable: `WHARF_SECTION_NAME`.
    pub fn variable(&self) -> String {
        format!("WHARF_{}", self.key.replacen('.', "_", 1).to_uppercase())
    }

    /// The part before the dot.
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(section, _)| section)
    }

    /// The part after the dot.
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }
}

/// Reads one setting from the highest layer that has it, or notes a problem and returns `None`.
pub fn read<T>(setting: &Setting, layers: &Layers, problems: &mut Vec<Problem>) -> Option<T>
where
    T: FromStr,
    T::Err: Into<Refusal>,
{
    let given = layers.get(setting);
    match given.text.parse() {
        Ok(value) => Some(value),
        Err(refusal) => {
            problems.push(Problem::value(setting, &given, refusal.into()));
            None
        }
    }
}

/// A value as `config show` prints it. Types that could hold a secret redact it in `Display`.
pub fn shown(value: &impl fmt::Display) -> String {
    value.to_string()
}

/// Declares sections of settings, each `name: Type = "default" => "what it must be";`, with
/// `(secret)` after the default where a value may hold a password.
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty = $default:literal $(($secret:ident))? => $must_be:literal;
            )+
        }
    )+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $name: $type,)+
            }
        )+

        /// Every setting, read and checked.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        /// The sections in the order of the table, each with a sentence about it.
        pub static SECTIONS: &[(&str, &str)] =
            &[$((stringify!($section), concat!($($section_doc),+)),)+];

        /// Every setting in the order of the table.
        pub static SETTINGS: &[Setting] = &[$($(
            Setting {
                key: concat!(stringify!($section), ".", stringify!($name)),
                default: $default,
                documentation: concat!($($doc),+),
                must_be: $must_be,
                secret: !concat!($(stringify!($secret))?).is_empty(),
            },
        )+)+];

        impl Config {
            /// Reads every setting from the layers, and every problem there is with them.
            pub fn read(layers: &Layers, problems: &mut Vec<Problem>) -> Option<Config> {
                let mut table = SETTINGS.iter();
                $(
                    // The whole tuple is read before any of it is given up: all problems are told.
                    let $section = match ($(
                        table.next().and_then(|setting| read::<$type>(setting, layers, problems)),
                    )+) {
                        ($(Some($name),)+) => Some($Section { $($name),+ }),
                        _ => None,
                    };
                )+
                Some(Config { $($section: $section?),+ })
            }

            /// Every value as text that would be read back as the same value, in the table's order.
            pub fn texts(&self) -> Vec<String> {
                vec![$($(shown(&self.$section.$name),)+)+]
            }
        }
    };
}

pub(crate) use settings;
