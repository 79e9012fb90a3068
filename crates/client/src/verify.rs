//! Believing bytes only when their digest and size are what they should be.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use wharf_oci::{Descriptor, Digest, Hasher};

use crate::{BlobSource, BlobStream, Error};

/// A running check of content that is seen from its start on, though parts of it may be seen again.
pub(crate) struct Verifier {
    digest: Digest,
    size: u64,
    hasher: Hasher,
    position: u64,
}

impl Verifier {
    /// Nothing seen yet of content that should have this digest and size.
    pub(crate) fn new(digest: Digest, size: u64) -> Self {
        Self { digest, size, hasher: Hasher::new(digest.algorithm()), position: 0 }
    }

    /// How many bytes were seen from the start on.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Sees `bytes`, which begin at `offset`. What was seen before is not looked at again; nothing may be left out.
    ///
    /// # Errors
    /// When there is more than there should be.
    pub(crate) fn see(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.size {
            return Err(Error::Size { digest: self.digest, expected: self.size, found: end });
        }
        debug_assert!(offset <= self.position, "bytes were left out");
        let seen = usize::try_from(self.position - offset).unwrap_or(usize::MAX);
        if let Some(new) = bytes.get(seen..) {
            self.hasher.update(new);
            self.position += new.len() as u64;
        }
        Ok(())
    }

    /// Sees the bytes that follow those seen.
    ///
    /// # Errors
    /// As [`Verifier::see`].
    pub(crate) fn see_next(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.see(self.position, bytes)
    }

    /// Whether what was seen is the content.
    ///
    /// # Errors
    /// When it is too short or has another digest.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        let (expected, found) = (self.size, self.position);
        if expected != found {
            return Err(Error::Size { digest: self.digest, expected, found });
        }
        let found = self.hasher.clone().finish();
        if found == self.digest { Ok(()) } else { Err(Error::digest(self.digest, found)) }
    }
}

/// The stream of a whole blob that ends with an error unless it was exactly that blob.
pub fn verified(stream: BlobStream, blob: &Descriptor) -> BlobStream {
    let verifier = Verifier::new(blob.digest, blob.size);
    stream::try_unfold((stream, verifier), |(mut stream, mut verifier)| async move {
        match stream.next().await.transpose()? {
            Some(bytes) => {
                verifier.see_next(&bytes)?;
                Ok(Some((bytes, (stream, verifier))))
            }
            None => verifier.finish().map(|()| None),
        }
    })
    .boxed()
}

/// A whole blob of at most `limit` bytes, verified.
///
/// # Errors
/// [`Error::TooLarge`] where it is larger; else as [`BlobSource::blob`] and [`verified`].
pub async fn verified_bytes(
    source: &dyn BlobSource,
    blob: &Descriptor,
    limit: usize,
) -> Result<Bytes, Error> {
    if blob.size > limit as u64 {
        let what = format!("blob {}", blob.digest);
        return Err(Error::TooLarge { what, limit: limit as u64 });
    }
    let mut stream = verified(source.blob(blob, 0).await?, blob);
    let mut bytes = BytesMut::new();
    while let Some(piece) = stream.next().await.transpose()? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// Checks the bytes of a manifest.
///
/// # Errors
/// When digest or size differ.
pub(crate) fn check_manifest(manifest: &Descriptor, bytes: &Bytes) -> Result<(), Error> {
    let mut verifier = Verifier::new(manifest.digest, manifest.size);
    verifier.see_next(bytes)?;
    verifier.finish()
}
