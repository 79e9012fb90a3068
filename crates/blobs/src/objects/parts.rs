//! How far an upload's bytes are in the bucket, as it is kept in the metadata between two requests.
//!
//! Version 1, in this order:
//!
//! ```text
//! 1 byte     1
//! 1 byte     which of the following are there: 1 a tail, 2 a tail to be removed, 4 a multipart upload
//! 16 bytes   the tail's name
//! 16 bytes   the name of the tail that the last append replaced
//! 16 bytes   the name under which the multipart upload will be an object
//! 2 + n      the multipart upload's id
//! 8 bytes    how many bytes its parts have
//! 2 bytes    how many parts
//!   1 + n    each part's id: 255 and 16 bytes for a quoted MD5, 254 and 16 bytes for a bare one, else its length and text
//! ```

use wharf_core::StoreError;

use super::layout::Name;

/// The most parts that a multipart upload has: S3's limit, below Azure's and that of Google.
pub(super) const MOST_PARTS: usize = 10_000;

/// The longest id of a multipart upload, in bytes: S3 does not say, Google's are near 100, others' near 350.
const LONGEST_ID: usize = 2048;

const VERSION: u8 = 1;
const HAS_TAIL: u8 = 1;
const HAS_SUPERSEDED: u8 = 2;
const HAS_MULTIPART: u8 = 4;
const QUOTED_MD5: u8 = 255;
const BARE_MD5: u8 = 254;

/// How far an upload's bytes are in the bucket. What lies behind the parts is the tail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// The object with the bytes behind the last part.
    pub(super) tail: Option<Name>,
    /// The tail that the last append replaced: no longer needed as soon as another append begins.
    pub(super) superseded: Option<Name>,
    /// The multipart upload, from the first full part on.
    pub(super) multipart: Option<Multipart>,
}

/// A multipart upload that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Multipart {
    /// The object's name once it is complete.
    pub(super) name: Name,
    /// The store's id of it; empty for stores that need none.
    pub(super) id: String,
    /// How many bytes the parts have together.
    pub(super) length: u64,
    /// The parts' ids, in order.
    pub(super) parts: Vec<String>,
}

impl Parts {
    /// How many bytes are in parts.
    pub(super) fn length(&self) -> u64 {
        self.multipart.as_ref().map_or(0, |multipart| multipart.length)
    }

    /// Writes it down; nothing for an upload without bytes.
    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        if *self == Self::default() {
            return Ok(Vec::new());
        }
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        let mut out = vec![
            VERSION,
            flag(self.tail.is_some(), HAS_TAIL)
                | flag(self.superseded.is_some(), HAS_SUPERSEDED)
                | flag(self.multipart.is_some(), HAS_MULTIPART),
        ];
        for name in [&self.tail, &self.superseded].into_iter().flatten() {
            out.extend_from_slice(&name.0);
        }
        if let Some(multipart) = &self.multipart {
            multipart.encode(&mut out)?;
        }
        Ok(out)
    }

    /// Reads what [`Self::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let corrupt = || StoreError::Corrupt("an upload's parts cannot be read".into());
        let mut rest = Rest(bytes);
        if rest.byte() != Some(VERSION) {
            return Err(StoreError::Corrupt(
                "an upload's parts were written by a newer version".into(),
            ));
        }
        let parts = Self::decode_fields(&mut rest).ok_or_else(corrupt)?;
        if rest.0.is_empty() { Ok(parts) } else { Err(corrupt()) }
    }

    fn decode_fields(rest: &mut Rest<'_>) -> Option<Self> {
        let flags = rest.byte().filter(|flags| flags & !7 == 0)?;
        let mut name = |flag: u8| match flags & flag {
            0 => Some(None),
            _ => rest.name().map(Some),
        };
        let (tail, superseded) = (name(HAS_TAIL)?, name(HAS_SUPERSEDED)?);
        let multipart = match flags & HAS_MULTIPART {
            0 => None,
            _ => Some(Multipart::decode(rest)?),
        };
        Some(Self { tail, superseded, multipart })
    }
}

impl Multipart {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let strange =
            || StoreError::Unavailable("the store named an upload or a part oddly".into());
        if self.id.len() > LONGEST_ID || self.parts.len() > MOST_PARTS {
            return Err(strange());
        }
        out.extend_from_slice(&self.name.0);
        out.extend_from_slice(&(self.id.len() as u16).to_be_bytes());
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&(self.parts.len() as u16).to_be_bytes());
        for part in &self.parts {
            let bare = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
            if let Some(md5) = bare.and_then(md5) {
                out.push(QUOTED_MD5);
                out.extend_from_slice(&md5);
            } else if let Some(md5) = md5(part) {
                out.push(BARE_MD5);
                out.extend_from_slice(&md5);
            } else {
                let length = u8::try_from(part.len()).ok().filter(|length| *length < BARE_MD5);
                out.push(length.ok_or_else(strange)?);
                out.extend_from_slice(part.as_bytes());
            }
        }
        Ok(())
    }

    fn decode(rest: &mut Rest<'_>) -> Option<Self> {
        let name = rest.name()?;
        let length_of_id = rest.number::<2>()? as usize;
        let id = rest.text(length_of_id)?;
        let length = rest.number::<8>()?;
        let count = rest.number::<2>()? as usize;
        let mut parts = Vec::with_capacity(count.min(MOST_PARTS));
        for _ in 0..count {
            parts.push(match rest.byte()? {
                QUOTED_MD5 => format!("\"{}\"", Name(rest.bytes(16)?.try_into().ok()?)),
                BARE_MD5 => Name(rest.bytes(16)?.try_into().ok()?).to_string(),
                length => rest.text(usize::from(length))?,
            });
        }
        Some(Self { name, id, length, parts })
    }
}

/// The bytes of 32 lower-case hexadecimal digits.
fn md5(text: &str) -> Option<[u8; 16]> {
    let digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if text.len() != 32 || !text.bytes().all(digit) {
        return None;
    }
    Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes())
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn name(&mut self) -> Option<Name> {
        Some(Name(self.bytes(16)?.try_into().ok()?))
    }

    fn number<const LENGTH: usize>(&mut self) -> Option<u64> {
        let bytes = self.bytes(LENGTH)?;
        Some(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn text(&mut self, length: usize) -> Option<String> {
        Some(std::str::from_utf8(self.bytes(length)?).ok()?.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn multipart(parts: Vec<String>) -> Parts {
        let multipart =
            Multipart { name: Name::random(), id: "2~abc/d+e=".into(), length: 1 << 40, parts };
        Parts { tail: Some(Name::random()), superseded: None, multipart: Some(multipart) }
    }

    #[test]
    fn what_is_written_is_read() {
        let md5 = "0123456789abcdef0123456789abcdef".to_owned();
        let kinds = vec![
            format!("\"{md5}\""),
            md5.clone(),
            md5.to_uppercase(),
            "\"f00-3\"".into(),
            String::new(),
            "x".repeat(253),
        ];
        let tail = Parts { tail: Some(Name([0; 16])), superseded: Some(Name::random()), multipart: None };
        for parts in [Parts::default(), tail, multipart(vec![]), multipart(kinds)] {
            assert_eq!(Parts::decode(&parts.encode().unwrap()).unwrap(), parts);
        }
        assert!(Parts::default().encode().unwrap().is_empty());
    }

    #[test]
    fn the_most_parts_take_seventeen_bytes_each() {
        let md5 = format!("\"{}\"", Name::random());
        let full = multipart(vec![md5.clone(); MOST_PARTS]).encode().unwrap();
        assert!(full.len() < 17 * MOST_PARTS + 100, "{} bytes", full.len());
        multipart(vec![md5; MOST_PARTS + 1]).encode().unwrap_err();
        multipart(vec!["x".repeat(254)]).encode().unwrap_err();
    }

    #[test]
    fn what_is_cut_or_changed_is_corrupt() {
        let whole = multipart(vec![format!("\"{}\"", Name::random()), "odd".into()]).encode().unwrap();
        for length in 1..whole.len() {
            Parts::decode(&whole[..length]).unwrap_err();
        }
        Parts::decode(&[&whole[..], &[0]].concat()).unwrap_err();
        Parts::decode(&[2, 0]).unwrap_err();
        Parts::decode(&[1, 8]).unwrap_err();
    }
}
