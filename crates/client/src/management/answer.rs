//! What the API answers: a value, and the JSON that it was read from, for those who want exactly that.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;

use crate::Secret;

/// A value of the API.
#[derive(Debug)]
pub struct Answer<T> {
    /// The value.
    pub value: T,
    json: Box<RawValue>,
}

impl<T: DeserializeOwned> Answer<T> {
    /// Reads a value.
    ///
    /// # Errors
    /// When the JSON is not that of such a value. The message says where, and quotes nothing.
    pub(super) fn read(json: Box<RawValue>) -> Result<Self, String> {
        match serde_json::from_str(json.get()) {
            Ok(value) => Ok(Self { value, json }),
            Err(error) => Err(format!("line {}, column {}", error.line(), error.column())),
        }
    }
}

impl<T> Answer<T> {
    /// The value's JSON, as the registry sent it.
    pub fn json(&self) -> &str {
        self.json.get()
    }
}

/// What a thing is called by, be it a number or a text.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom("an id is a number or a text")),
    }
}

/// A secret that is shown once, or not any more.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}
