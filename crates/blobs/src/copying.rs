//! Objects copied from one store into another, and read again to see whether they are what their keys say.

use futures_util::StreamExt;
use wharf_core::blobs::{Blobs, ObjectKey, ReadError, StageError};
use wharf_core::clock::SystemRandom;
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Digest, Hasher};

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is there now, with so many bytes.
    Now(u64),
    /// It was there already, with so many bytes: as many as it has where it comes from.
    Before(u64),
    /// It is not where it should come from.
    Missing,
    /// Its content is of another digest. Nothing was put in place.
    Damaged(Digest),
}

/// Copies an object, verified on the way, unless one of its size is there already: what has the key was verified when
/// it came.
///
/// # Errors
/// When a store fails; nothing is in place then.
pub async fn copy_object(
    from: &dyn Blobs,
    to: &dyn Blobs,
    key: &ObjectKey,
) -> Result<Copied, StoreError> {
    let content = match from.read(key, None).await {
        Err(ReadError::NotFound) => return Ok(Copied::Missing),
        Err(ReadError::Store(fault)) => return Err(fault),
        Err(other) => return Err(StoreError::Corrupt(other.to_string())),
        Ok(content) => content,
    };
    if to.head(key).await? == Some(content.size) {
        return Ok(Copied::Before(content.size));
    }
    let upload = UploadId::random(&SystemRandom);
    let staged = to.stage(&upload).await.map_err(stage_error)?;
    let mut hasher = Hasher::new(key.digest.algorithm());
    let mut fault = None;
    let mut pieces = content.stream;
    let chunks = async_pieces(&mut pieces, &mut hasher, &mut fault);
    let appended = to.append(&upload, &staged, Box::pin(chunks)).await;
    let whole = match (appended, fault) {
        (Ok(whole), None) => whole,
        (appended, fault) => {
            let staged = appended.as_ref().unwrap_or(&staged);
            let _ = to.discard(&upload, staged).await;
            return Err(fault.unwrap_or_else(|| match appended {
                Err(error) => stage_error(error),
                Ok(_) => StoreError::Corrupt("a copy ended for no reason".into()),
            }));
        }
    };
    let found = hasher.finish();
    if found != key.digest {
        to.discard(&upload, &whole).await.map_err(stage_error)?;
        return Ok(Copied::Damaged(found));
    }
    to.finish(&upload, &whole, key).await.map_err(stage_error)?;
    Ok(Copied::Now(whole.offset))
}

/// The pieces until the first fault, which is noted, each hashed on its way.
fn async_pieces<'a>(
    pieces: &'a mut wharf_core::blobs::ByteStream,
    hasher: &'a mut Hasher,
    fault: &'a mut Option<StoreError>,
) -> impl futures_util::Stream<Item = bytes::Bytes> + Send + 'a {
    futures_util::stream::unfold((pieces, hasher, fault), |(pieces, hasher, fault)| async move {
        match pieces.next().await? {
            Ok(piece) => {
                hasher.update(&piece);
                Some((piece, (pieces, hasher, fault)))
            }
            Err(error) => {
                *fault = Some(error);
                None
            }
        }
    })
}

/// The digest of what an object holds; `None` where there is none.
///
/// # Errors
/// When the store fails.
pub async fn hash_object(store: &dyn Blobs, key: &ObjectKey) -> Result<Option<Digest>, StoreError> {
    let mut content = match store.read(key, None).await {
        Err(ReadError::NotFound) => return Ok(None),
        Err(ReadError::Store(fault)) => return Err(fault),
        Err(other) => return Err(StoreError::Corrupt(other.to_string())),
        Ok(content) => content,
    };
    let mut hasher = Hasher::new(key.digest.algorithm());
    while let Some(piece) = content.stream.next().await {
        hasher.update(&piece?);
    }
    Ok(Some(hasher.finish()))
}

fn stage_error(error: StageError) -> StoreError {
    match error {
        StageError::NotFound => StoreError::Corrupt("what was staged is gone".into()),
        StageError::Store(fault) => fault,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
