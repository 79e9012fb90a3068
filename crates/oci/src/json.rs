//! A look over a JSON document before it is believed: no key twice or in disguise, no bottomless nesting, objects
//! where they should be.
//!
//! Parsers differ in which of two equal keys they take, so a document with one is two documents.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// What a value should be. A value that is neither object nor array is of any shape: its type is read later.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// An object with these known keys. An array, which derived readers take for one, is none.
    Object(Keys),
    /// An array of such objects.
    Objects(Keys),
}

/// The known keys of an object, each with the shape of its value.
pub(crate) type Keys = &'static [(&'static str, Shape)];

/// Walks the document, an object at most `max_depth` levels deep, and returns the keys of the outermost one.
/// Disguised keys are refused in it everywhere but there.
pub(crate) fn keys_of_object(
    bytes: &[u8],
    max_depth: usize,
    known: Keys,
) -> Result<Vec<String>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let keys = deserializer.deserialize_map(Outermost { max_depth, known })?;
    deserializer.end()?;
    Ok(keys)
}

struct Outermost {
    max_depth: usize,
    known: Keys,
}

impl<'de> Visitor<'de> for Outermost {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<String>, A::Error> {
        walk(map, self.max_depth, self.known).map(|keys| keys.into_iter().collect())
    }
}

/// Any value, with the levels that it may still have inside.
#[derive(Clone, Copy)]
struct Inside {
    depth_left: usize,
    shape: Shape,
}

fn walk<'de, A: MapAccess<'de>>(
    mut map: A,
    depth_left: usize,
    known: Keys,
) -> Result<HashSet<String>, A::Error> {
    let depth_left = deeper(depth_left)?;
    let mut keys = HashSet::new();
    while let Some(key) = map.next_key::<String>()? {
        let shape = known.iter().find(|(name, _)| *name == key).map_or(Shape::Any, |known| known.1);
        map.next_value_seed(Inside { depth_left, shape })?;
        if let Some(key) = keys.replace(key) {
            return Err(A::Error::custom(format_args!(
                "the key {key:?} stands twice in one object"
            )));
        }
    }
    Ok(keys)
}

fn deeper<E: serde::de::Error>(depth_left: usize) -> Result<usize, E> {
    depth_left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))
}

impl<'de> DeserializeSeed<'de> for Inside {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inside {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let shape = match self.shape {
            Shape::Any => Shape::Any,
            Shape::Objects(known) => Shape::Object(known),
            Shape::Object(_) => return Err(A::Error::custom("an array stands for an object")),
        };
        let inside = Self { depth_left: deeper(self.depth_left)?, shape };
        while sequence.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let known = match self.shape {
            Shape::Object(known) => known,
            Shape::Any | Shape::Objects(_) => &[],
        };
        let keys = walk(map, self.depth_left, known)?;
        match disguised(&keys, known) {
            Some((key, known)) => {
                Err(A::Error::custom(format_args!("the key {key:?} must be written {known:?}")))
            }
            None => Ok(()),
        }
    }
}

/// A key that is a known one in disguise, and that one.
pub(crate) fn disguised<'k>(
    keys: impl IntoIterator<Item = &'k String>,
    known: Keys,
) -> Option<(&'k str, &'static str)> {
    keys.into_iter().find_map(|key| {
        known
            .iter()
            .find(|(name, _)| is_disguised(key, name))
            .map(|(name, _)| (key.as_str(), *name))
    })
}

/// Whether a lenient parser (Go's folds case, and 'ſ' and the Kelvin sign with it) would take `key` for `known`
/// though it is another one.
fn is_disguised(key: &str, known: &str) -> bool {
    key != known
        && key
            .chars()
            .map(|character| match character {
                'ſ' => 's',
                '\u{212a}' => 'k',
                other => other.to_ascii_lowercase(),
            })
            .eq(known.chars().map(|character| character.to_ascii_lowercase()))
}
