//! Objects out of the store: exactly the bytes asked for, and of a whole object only those that its digest names.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, GetResult};
use wharf_core::StoreError;
use wharf_core::blobs::{ByteStream, Content, ReadError, StageError};
use wharf_oci::{ByteRange, Digest, Hasher};

use super::ObjectBlobs;
use super::failure::{late, stage_error, store_error};

/// The longest piece of a stream.
const PIECE: usize = 1 << 20;

impl ObjectBlobs {
    /// An object, or a part of it. All of it is given only if it is what the digest names.
    pub(super) async fn read_object(
        &self,
        path: Path,
        of: Digest,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError> {
        let wanted = range.map(|range| match range {
            ByteRange::Between(first, last) => GetRange::Bounded(first..last.saturating_add(1)),
            ByteRange::From(first) => GetRange::Offset(first),
            ByteRange::Suffix(length) => GetRange::Suffix(length),
        });
        let found = match (self.get(&path, wanted).await?, range) {
            (Ok(found), _) => found,
            (Err(Error::NotFound { .. }), _) => return Err(ReadError::NotFound),
            (Err(error), None) => return Err(store_error("reading an object", &error).into()),
            (Err(_), Some(range)) => {
                // Stores differ in which ranges they refuse: those without bytes, some that go past the end.
                let size = self.size(&path).await?.ok_or(ReadError::NotFound)?;
                let span = range.within(size).ok_or(ReadError::Unsatisfiable { size })?;
                let again = self.get(&path, Some(GetRange::Bounded(span))).await?;
                again.map_err(|error| store_error("reading an object", &error))?
            }
        };
        let size = found.meta.size;
        let span = match range {
            None => 0..size,
            Some(range) => range.within(size).ok_or(ReadError::Unsatisfiable { size })?,
        };
        if found.range != span {
            let text = format!("{path}: asked for {span:?}, the store sends {:?}", found.range);
            return Err(StoreError::Corrupt(text).into());
        }
        let digest = range.is_none().then_some(of);
        let stream = self.checked(found.into_stream(), &span, digest, path);
        Ok(Content { size, range: span, stream })
    }

    async fn get(
        &self,
        path: &Path,
        range: Option<GetRange>,
    ) -> Result<object_store::Result<GetResult>, StoreError> {
        let options = GetOptions { range, ..GetOptions::default() };
        self.within("reading an object", self.service.get_opts(path, options)).await
    }

    /// All of an object that is staged, in the version of this entity tag where there is one.
    pub(super) async fn read_whole(
        &self,
        path: Path,
        version: Option<String>,
    ) -> Result<ByteStream, StageError> {
        let options = GetOptions { if_match: version.clone(), ..GetOptions::default() };
        let reading = self.service.get_opts(&path, options);
        let found = match self.within("reading staged bytes", reading).await? {
            Err(Error::Precondition { .. }) => return Err(StageError::NotFound),
            found => found.map_err(|error| stage_error("reading staged bytes", &error))?,
        };
        if version.is_some() && found.meta.e_tag != version {
            return Err(StageError::NotFound);
        }
        let span = 0..found.meta.size;
        Ok(self.checked(found.into_stream(), &span, None, path))
    }

    /// The bytes of `span`, no fewer and no more, each waited for no longer than the limit. Where all of them make
    /// up `digest`, the last piece is given only if they do: whoever reads a corrupted object sees it break off.
    fn checked(
        &self,
        from: futures_util::stream::BoxStream<'static, object_store::Result<Bytes>>,
        span: &Range<u64>,
        digest: Option<Digest>,
        path: Path,
    ) -> ByteStream {
        let state = Reading {
            from,
            left: span.end - span.start,
            hasher: digest.map(|digest| (Hasher::new(digest.algorithm()), digest)),
            pending: Bytes::new(),
            path,
        };
        let limit = self.limits.stall;
        Box::pin(stream::try_unfold(state, move |mut state| async move {
            while state.pending.is_empty() {
                if state.left == 0 {
                    return Ok(None);
                }
                let next = tokio::time::timeout(limit, state.from.next()).await;
                let next = next.map_err(|_| late("reading an object"))?;
                state.take(next)?;
            }
            let piece = state.pending.split_to(state.pending.len().min(PIECE));
            Ok(Some((piece, state)))
        }))
    }
}

/// A read under way.
struct Reading {
    from: futures_util::stream::BoxStream<'static, object_store::Result<Bytes>>,
    left: u64,
    hasher: Option<(Hasher, Digest)>,
    /// Bytes that may be given.
    pending: Bytes,
    path: Path,
}

impl Reading {
    fn take(&mut self, next: Option<object_store::Result<Bytes>>) -> Result<(), StoreError> {
        let path = &self.path;
        let piece = match next {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Err(store_error("reading an object", &error)),
            None => {
                let left = self.left;
                let text = format!("the object store ended {path} {left} bytes too early");
                return Err(StoreError::Unavailable(text));
            }
        };
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| {
            StoreError::Corrupt(format!("the object store sent more of {path} than there is"))
        })?;
        if let Some((mut hasher, digest)) = self.hasher.take() {
            hasher.update(&piece);
            if self.left > 0 {
                self.hasher = Some((hasher, digest));
            } else {
                let found = hasher.finish();
                if found != digest {
                    tracing::error!(%path, %found, "an object is corrupt: its bytes are not its digest's");
                    let text = format!("the content of {path} is {found}, not {digest}");
                    return Err(StoreError::Corrupt(text));
                }
            }
        }
        self.pending = piece;
        Ok(())
    }
}
