//! What is pushed and pulled: bytes that do not compress, the same for all servers, cheap to make and to tell apart.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// What is repeated to fill a blob: larger than the caches of a processor.
const BLOCK: usize = 64 << 20;

/// The end of a blob, which differs from blob to blob.
const TAIL: usize = 4 << 10;

/// The source of all blobs.
pub struct Content {
    block: Bytes,
    size: u64,
    /// The hash of all but the tail: so the digest of another blob costs nothing.
    begun: Sha256,
}

/// One blob.
pub struct Blob<'a> {
    content: &'a Content,
    tail: Bytes,
    /// `sha256:…`
    pub digest: String,
}

impl Content {
    /// Content for blobs of `size` bytes.
    pub fn new(size: u64) -> Self {
        let length = usize::try_from(size).unwrap_or(usize::MAX).min(BLOCK);
        let mut content = Self { block: random(0, length).into(), size, begun: Sha256::new() };
        let mut begun = Sha256::new();
        content.body().for_each(|piece| begun.update(piece));
        content.begun = begun;
        content
    }

    /// The blob number `seed`, unlike all others.
    pub fn blob(&self, seed: u64) -> Blob<'_> {
        let tail = Bytes::from(random(seed + 1, TAIL));
        let digest = hex(self.begun.clone().chain_update(&tail));
        Blob { content: self, tail, digest }
    }

    /// All but the tail, in pieces.
    fn body(&self) -> impl Iterator<Item = &[u8]> {
        let (block, size) = (self.block.len(), self.size - TAIL as u64);
        (0..size.div_ceil(block as u64)).map(move |index| {
            let rest = size - index * block as u64;
            &self.block[..usize::try_from(rest).unwrap_or(usize::MAX).min(block)]
        })
    }
}

impl Blob<'_> {
    /// Its bytes, in pieces.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.content.body().chain([self.tail.as_ref()])
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.content.size
    }

    /// The same in parts of `length` bytes, and a last one: slices of the source.
    pub fn parts(&self, length: usize) -> Vec<Vec<Bytes>> {
        let body = self.content.body().map(|piece| self.content.block.slice_ref(piece));
        let (mut parts, mut room) = (Vec::new(), 0);
        for mut piece in body.chain([self.tail.clone()]) {
            while !piece.is_empty() {
                if room == 0 {
                    parts.push(Vec::new());
                    room = length;
                }
                let slice = piece.split_to(piece.len().min(room));
                room -= slice.len();
                parts.last_mut().into_iter().for_each(|part| part.push(slice.clone()));
            }
        }
        parts
    }

    /// Writes it to a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = File::create(path)?;
        self.pieces().try_for_each(|piece| file.write_all(piece))?;
        Ok(file.sync_all()?)
    }
}

/// The digest of a few bytes.
pub fn digest(bytes: &[u8]) -> String {
    hex(Sha256::new().chain_update(bytes))
}

fn hex(hash: Sha256) -> String {
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// SplitMix64: fast, and no compressor finds anything in it.
fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    let mut state = seed.wrapping_mul(0xd1b5_4a32_d192_ed03);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
