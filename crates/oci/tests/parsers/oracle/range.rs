//! Which bytes a range covers, asked of each byte in turn, and which headers name a range at all.

use wharf_oci::ByteRange;

use super::regular_expression::matches;

/// RFC 9110, section 14.1.2, of one range: `int-range` or `suffix-range`.
const SINGLE_RANGE: &str = "[0-9]+-[0-9]*|-[0-9]+";

/// The `Content-Range` of a chunk (distribution-spec, "Pushing a blob in chunks"), and what is forgiven around it.
const CHUNK: &str = r"(bytes[ =])?[0-9]+-[0-9]+(\/(\*|[0-9]+))?";

/// The positions of content of `size` bytes that `range` covers (RFC 9110, section 14.1.2).
pub fn covered(range: ByteRange, size: u64) -> Vec<u64> {
    let is_covered = |at: u64| match range {
        ByteRange::Between(first, last) => first <= at && at <= last,
        ByteRange::From(first) => first <= at,
        // The last bytes: those with fewer than `length` bytes from them to the end, themselves counted.
        ByteRange::Suffix(length) => u128::from(size - at) <= u128::from(length),
    };
    (0..size).filter(|at| is_covered(*at)).collect()
}

/// How many bytes of content of `size` bytes `range` covers, and the first of them, for sizes too large to walk.
pub fn extent(range: ByteRange, size: u64) -> (u128, u128) {
    let size = u128::from(size);
    let (first, end) = match range {
        ByteRange::Between(first, last) => (u128::from(first), u128::from(last) + 1),
        ByteRange::From(first) => (u128::from(first), size),
        ByteRange::Suffix(length) => (size - size.min(u128::from(length)), size),
    };
    (first, end.min(size).saturating_sub(first))
}

/// The range that a `Range` header names, read by the grammar: one range, in bytes, every number of 64 bits.
pub fn named(header: &str) -> Option<ByteRange> {
    let (unit, range) = header.split_once('=')?;
    let range = range.trim();
    if unit.trim().to_lowercase() != "bytes" || !matches(SINGLE_RANGE, range) {
        return None;
    }
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| (!text.is_empty()).then(|| text.parse::<u64>());
    match (number(first).transpose().ok()?, number(last).transpose().ok()?) {
        (Some(first), Some(last)) if last < first => None,
        (Some(first), Some(last)) => Some(ByteRange::Between(first, last)),
        (Some(first), None) => Some(ByteRange::From(first)),
        (None, Some(length)) => Some(ByteRange::Suffix(length)),
        (None, None) => None,
    }
}

/// First and last byte of the chunk that a `Content-Range` names, read by the grammar: every number of 64 bits.
pub fn chunk(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    if !matches(CHUNK, text) {
        return None;
    }
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(str::parse::<u64>);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let size = numbers.next().transpose().ok()?;
    (first <= last && size.is_none_or(|size| last < size)).then_some((first, last))
}
