//! One layer of `docker save`: compressed if it is not, and checked against its `diff_id` either way.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use wharf_oci::{Algorithm, Digest, Hasher};

use super::Stored;
use crate::archive::{Entry, TarFile};
use crate::layout::PIECE;
use crate::{Error, Event, Progress};

pub(super) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// The level of compression: what Docker itself uses, and with it the digests, must not change lightly.
const LEVEL: u32 = 6;

/// A layer as it will be pushed.
pub(super) struct Layer {
    pub(super) media_type: &'static str,
    pub(super) digest: Digest,
    pub(super) stored: Stored,
}

/// Makes a layer of the entry called `name`, whose uncompressed bytes must have the digest `diff_id`.
pub(super) fn layer(
    tar: &TarFile,
    name: &str,
    entry: Entry,
    diff_id: &Digest,
    progress: &Arc<dyn Progress>,
) -> Result<Layer, Error> {
    let mut magic = [0; 4];
    let known = usize::try_from(entry.size).unwrap_or(magic.len()).min(magic.len());
    tar.file().read_exact_at(&mut magic[..known], entry.start).map_err(Error::file(tar.path()))?;
    let input = Region { tar, entry, position: 0, diff_id: *diff_id, progress };
    let (layer, found) = match magic {
        [0x1f, 0x8b, ..] => kept(input, GZIP, true),
        [0x28, 0xb5, 0x2f, 0xfd] => kept(input, ZSTD, false),
        _ => compressed(input).map(|(layer, found)| (layer, Some(found))),
    }
    .map_err(Error::file(tar.path()))?;
    match found {
        Some(found) if found != *diff_id => Err(Error::format(
            tar.path(),
            format!(
                "is damaged: layer {name} has the digest {found}, its configuration says {diff_id}"
            ),
        )),
        _ => Ok(layer),
    }
}

/// Compresses a layer into a file of its own. Returns the digest of its uncompressed bytes, too.
fn compressed(input: Region<'_>) -> io::Result<(Layer, Digest)> {
    let algorithm = input.diff_id.algorithm();
    let mut reader = Hashed::new(BufReader::with_capacity(PIECE, input), algorithm);
    let file = tempfile::tempfile()?;
    let output = Hashed::new(BufWriter::with_capacity(PIECE, file), Algorithm::Sha256);
    let mut encoder = GzBuilder::new().mtime(0).write(output, Compression::new(LEVEL));
    let mut piece = vec![0; PIECE];
    loop {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            break;
        }
        encoder.write_all(&piece[..read])?;
    }
    let mut output = encoder.finish()?;
    output.flush()?;
    let (output, digest, size) = output.finish();
    let file = output.into_inner().map_err(io::IntoInnerError::into_error)?;
    let stored = Stored::Temporary(Arc::new(file), size);
    let (_, diff_id, _) = reader.finish();
    Ok((Layer { media_type: GZIP, digest, stored }, diff_id))
}

/// Keeps a layer that is compressed. Returns the digest of its uncompressed bytes where it is gzip.
fn kept(
    input: Region<'_>,
    media_type: &'static str,
    is_gzip: bool,
) -> io::Result<(Layer, Option<Digest>)> {
    let (entry, algorithm) = (input.entry, input.diff_id.algorithm());
    let mut raw = Hashed::new(BufReader::with_capacity(PIECE, input), Algorithm::Sha256);
    let diff_id = if is_gzip {
        let mut plain = Hashed::new(MultiGzDecoder::new(&mut raw), algorithm);
        io::copy(&mut plain, &mut io::sink())?;
        Some(plain.finish().1)
    } else {
        None
    };
    // What stands behind the compressed stream is part of the blob.
    io::copy(&mut raw, &mut io::sink())?;
    let (_, digest, _) = raw.finish();
    Ok((Layer { media_type, digest, stored: Stored::Tar(entry) }, diff_id))
}

/// The bytes of an entry, one after the other.
struct Region<'a> {
    tar: &'a TarFile,
    entry: Entry,
    position: u64,
    diff_id: Digest,
    progress: &'a Arc<dyn Progress>,
}

impl Read for Region<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.entry.size - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = File::read_at(
            self.tar.file(),
            &mut buffer[..length],
            self.entry.start + self.position,
        )?;
        if length == 0 {
            return Ok(0);
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        self.progress.event(Event::Converting {
            layer: self.diff_id,
            position: self.position,
            size: self.entry.size,
        });
        Ok(read)
    }
}

/// A reader or writer that hashes what goes through it.
struct Hashed<T> {
    inner: T,
    hasher: Hasher,
    size: u64,
}

impl<T> Hashed<T> {
    fn new(inner: T, algorithm: Algorithm) -> Self {
        Self { inner, hasher: Hasher::new(algorithm), size: 0 }
    }

    fn see(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }

    fn finish(self) -> (T, Digest, u64) {
        (self.inner, self.hasher.finish(), self.size)
    }
}

impl<T: Read> Read for Hashed<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.see(&buffer[..read]);
        Ok(read)
    }
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.see(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
