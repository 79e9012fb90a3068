//! Computing a digest piece by piece, with a state that can be put down and taken up elsewhere.

use std::ops::Range;

use sha2::digest::Digest as _;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Sha256, Sha512};

use crate::{Algorithm, Digest};

/// A running hash.
#[derive(Clone)]
pub struct Hasher(Running);

#[derive(Clone)]
enum Running {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// A running hash put down: what a database keeps of an upload between two requests.
/// One byte for the algorithm, then its state. It says nothing secret but a hash of the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashState(Vec<u8>);

impl HashState {
    /// The state's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A state from bytes that [`HashState::as_bytes`] gave. They are checked by [`Hasher::resume`].
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Hasher {
    /// A hash of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => Running::Sha256(Sha256::new()),
            Algorithm::Sha512 => Running::Sha512(Sha512::new()),
        })
    }

    /// The digest of `bytes`.
    pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Running::Sha256(_) => Algorithm::Sha256,
            Running::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Running::Sha256(hash) => hash.update(bytes),
            Running::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all bytes added.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 64];
        let algorithm = self.algorithm();
        match self.0 {
            Running::Sha256(hash) => bytes[..32].copy_from_slice(&hash.finalize()),
            Running::Sha512(hash) => bytes.copy_from_slice(&hash.finalize()),
        }
        Digest::from_parts(algorithm, bytes)
    }

    /// Puts the running hash down.
    pub fn state(&self) -> HashState {
        let mut bytes = vec![match self.algorithm() {
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
        }];
        match &self.0 {
            Running::Sha256(hash) => bytes.extend_from_slice(&hash.serialize()),
            Running::Sha512(hash) => bytes.extend_from_slice(&hash.serialize()),
        }
        HashState(bytes)
    }

    /// Takes a running hash up again; `None` when the bytes are no state.
    pub fn resume(state: &HashState) -> Option<Self> {
        let (code, bytes) = state.0.split_first()?;
        Some(Self(match code {
            1 => Running::Sha256(taken_up(bytes, 32..40)?),
            2 => Running::Sha512(taken_up(bytes, 64..80)?),
            _ => return None,
        }))
    }
}

/// `count` is where the count of whole blocks stands, least byte first. One past 48 bits, which is more than any
/// upload, would overflow the hash's own arithmetic.
fn taken_up<H: SerializableState>(bytes: &[u8], count: Range<usize>) -> Option<H> {
    if bytes.get(count)?[6..].iter().any(|byte| *byte != 0) {
        return None;
    }
    let state = SerializedState::<H>::try_from(bytes).ok()?;
    H::deserialize(&state).ok()
}
