//! Values that may be missing or may be many.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::problem::Refusal;

/// A value or none; none is written as nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optional<T>(pub Option<T>);

impl<T> Deref for Optional<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<T: FromStr<Err: Into<Refusal>>> FromStr for Optional<T> {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Optional<T>, Refusal> {
        if text.is_empty() {
            return Ok(Optional(None));
        }
        text.parse().map(|value| Optional(Some(value))).map_err(Into::into)
    }
}

impl<T: fmt::Display> fmt::Display for Optional<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(f))
    }
}

/// Any number of values, written with commas between them; spaces around them are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: FromStr<Err: Into<Refusal>>> FromStr for List<T> {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<List<T>, Refusal> {
        if text.trim().is_empty() {
            return Ok(List(Vec::new()));
        }
        let values = text.split(',').map(|part| part.trim().parse().map_err(Into::into));
        values.collect::<Result<_, _>>().map(List)
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(T::to_string).collect();
        f.write_str(&texts.join(","))
    }
}
