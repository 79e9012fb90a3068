//! Byte ranges: what a pull asks for (RFC 9110, section 14) and what a chunk of a push says it is.

use std::fmt;
use std::str::FromStr;

/// A single range of a `Range` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-last`, both inclusive.
    Between(u64, u64),
    /// `bytes=first-`, to the end.
    From(u64),
    /// `bytes=-length`, the last bytes.
    Suffix(u64),
}

/// Why a range cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The text is not of the header's form.
    #[error("a chunk's Content-Range has the form first-last, both inclusive, such as 0-1023")]
    Form,
}

impl ByteRange {
    /// The range that a `Range` header asks for. `None` for what a server ignores: another unit,
    /// several ranges, a malformed header (RFC 9110, section 14.2).
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, set) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        match (first, last) {
            ("", length) => Some(Self::Suffix(number(length)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The part of content of `size` bytes that the range covers, as first byte and past-the-last byte.
    /// `None` when it covers nothing, which is a 416.
    pub fn within(self, size: u64) -> Option<std::ops::Range<u64>> {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            Self::From(first) => first..size,
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// The `Content-Range` of an upload's chunk: `first-last`, both inclusive, without unit and size
/// (distribution-spec, "Pushing a blob in chunks"). `bytes=` or `bytes ` before it is forgiven, as is behind it `/*`
/// or `/` and a size that the chunk fits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, never before the first.
    pub last: u64,
}

impl ContentRange {
    /// How many bytes the chunk holds.
    pub const fn length(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl FromStr for ContentRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let text = text
            .strip_prefix("bytes")
            .and_then(|rest| rest.strip_prefix([' ', '=']))
            .unwrap_or(text);
        let (text, size) = text.split_once('/').unwrap_or((text, "*"));
        let (first, last) = text.split_once('-').ok_or(RangeError::Form)?;
        let (first, last) =
            (number(first).ok_or(RangeError::Form)?, number(last).ok_or(RangeError::Form)?);
        let fits = size == "*" || number(size).is_some_and(|size| last < size);
        if first > last || !fits {
            return Err(RangeError::Form);
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

/// Digits only: `u64::from_str` would take a leading `+`. A number past `u64` is no number here.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
