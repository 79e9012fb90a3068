//! A digest: the name of content by its hash (image-spec, descriptor.md, "Digests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hash algorithm that digests may use here. The image specification registers these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, the one that every registry knows.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm known here.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name that stands before the colon of a digest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash in bytes.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The byte that stands for the algorithm in the binary form of a digest.
    const fn code(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or(DigestError::UnknownAlgorithm)
    }
}

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon, so no algorithm.
    #[error("a digest has the form algorithm:hex, such as sha256:<64 hex digits>")]
    NoAlgorithm,
    /// The algorithm is not one of [`Algorithm::ALL`].
    #[error("the digest's algorithm must be sha256 or sha512")]
    UnknownAlgorithm,
    /// The hex part has the wrong length for its algorithm.
    #[error("a {algorithm} digest has {expected} hex digits, this one has {found}")]
    Length {
        /// The algorithm named.
        algorithm: Algorithm,
        /// How many hex digits it has.
        expected: usize,
        /// How many were found.
        found: usize,
    },
    /// A character is no lower-case hex digit.
    #[error("a digest is written in lower-case hex digits (0-9, a-f)")]
    NotLowerHex,
}

/// The name of content: an algorithm and the hash of the content's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    /// The hash, zero past the algorithm's length.
    bytes: [u8; 64],
}

impl Digest {
    /// The longest text of a digest in bytes.
    pub const MAX_TEXT: usize = "sha512:".len() + 128;

    /// A digest from its hash. `None` when the length is not the algorithm's.
    pub fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        if hash.len() != algorithm.length() {
            return None;
        }
        let mut bytes = [0; 64];
        bytes[..hash.len()].copy_from_slice(hash);
        Some(Self { algorithm, bytes })
    }

    /// A digest from a hash that fills the first bytes of `bytes`, the others being zero.
    pub(crate) const fn from_parts(algorithm: Algorithm, bytes: [u8; 64]) -> Self {
        Self { algorithm, bytes }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash, as long as the algorithm says.
    pub fn hash(&self) -> &[u8] {
        &self.bytes[..self.algorithm.length()]
    }

    /// The hash in lower-case hex: what stands after the colon.
    pub fn hex(&self) -> String {
        let mut text = String::with_capacity(self.algorithm.length() * 2);
        self.push_hex(&mut text);
        text
    }

    /// The binary form kept in databases: one byte for the algorithm, then the hash.
    /// Sorting binary forms sorts as [`Ord`] does.
    pub fn to_binary(&self) -> Vec<u8> {
        let mut binary = Vec::with_capacity(1 + self.algorithm.length());
        binary.push(self.algorithm.code());
        binary.extend_from_slice(self.hash());
        binary
    }

    /// A digest from its binary form; `None` when it is not one.
    pub fn from_binary(binary: &[u8]) -> Option<Self> {
        let (code, hash) = binary.split_first()?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.code() == *code)?;
        Self::from_hash(algorithm, hash)
    }

    fn push_hex(&self, text: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in self.hash() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::MAX_TEXT);
        text.push_str(self.algorithm.name());
        text.push(':');
        self.push_hex(&mut text);
        formatter.write_str(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        let algorithm: Algorithm = name.parse()?;
        let expected = algorithm.length() * 2;
        if hex.len() != expected {
            return Err(DigestError::Length { algorithm, expected, found: hex.len() });
        }
        let mut bytes = [0; 64];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = (hex_digit(pair[0])? << 4) | hex_digit(pair[1])?;
        }
        Ok(Self { algorithm, bytes })
    }
}

fn hex_digit(character: u8) -> Result<u8, DigestError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(DigestError::NotLowerHex),
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
