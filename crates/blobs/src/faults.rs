//! A store that fails on purpose: any store, with scripted faults at chosen calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, MappedReads, ObjectKey, ReadError, StageError,
    Staged,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::ByteRange;

/// A method of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// [`Blobs::head`].
    Head,
    /// [`Blobs::read`] and [`MappedReads::read_mapped`], counted together.
    Read,
    /// [`Blobs::stage`].
    Stage,
    /// [`Blobs::append`].
    Append,
    /// [`Blobs::read_staged`].
    ReadStaged,
    /// [`Blobs::finish`].
    Finish,
    /// [`Blobs::roll_back`].
    RollBack,
    /// [`Blobs::discard`].
    Discard,
    /// [`Blobs::delete_all`], for each of its objects.
    Delete,
    /// [`Blobs::check`].
    Check,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The call fails and does nothing.
    Fail(StoreError),
    /// The call does its work and fails all the same, as if its reply was lost on the way.
    LoseReply,
    /// The stream that is read, or that is appended, breaks after so many bytes with the error. Fails the
    /// call at once where a method has no stream.
    BreakAfter(u64, StoreError),
}

/// A store whose calls fail as a test's script says, and are the inner store's own otherwise.
pub struct FaultyBlobs<B> {
    inner: Arc<B>,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    calls: HashMap<Method, u64>,
    faults: HashMap<(Method, u64), Fault>,
}

/// What a call is to do, its fault taken from the script.
enum Plan {
    Work,
    LoseReply,
    BreakAfter(u64, StoreError),
}

impl<B> FaultyBlobs<B> {
    /// A store that does not fail yet.
    pub fn new(inner: B) -> Self {
        Self::over(Arc::new(inner))
    }

    /// The same over a store that others use as well; theirs does not fail.
    pub fn over(inner: Arc<B>) -> Self {
        Self { inner, script: Mutex::default() }
    }

    /// Has the `call`th call of `method` from now on go wrong: 1 is the next one.
    pub fn script(&self, method: Method, call: u64, fault: Fault) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let number = script.calls.get(&method).copied().unwrap_or(0) + call;
        script.faults.insert((method, number), fault);
    }

    /// How often `method` was called.
    pub fn calls(&self, method: Method) -> u64 {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.calls.get(&method).copied().unwrap_or(0)
    }

    /// The store behind it, which does not fail.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    fn begin(&self, method: Method) -> Result<Plan, StoreError> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = script.calls.entry(method).or_default();
        *calls += 1;
        let number = *calls;
        let streams = matches!(method, Method::Read | Method::ReadStaged | Method::Append);
        match script.faults.remove(&(method, number)) {
            None => Ok(Plan::Work),
            Some(Fault::LoseReply) => Ok(Plan::LoseReply),
            Some(Fault::BreakAfter(bytes, error)) if streams => Ok(Plan::BreakAfter(bytes, error)),
            Some(Fault::Fail(error) | Fault::BreakAfter(_, error)) => Err(error),
        }
    }
}

impl Plan {
    /// The reply of a call that worked.
    fn reply<T>(&self, reply: T) -> Result<T, StoreError> {
        match self {
            Self::Work => Ok(reply),
            Self::LoseReply => Err(StoreError::Unavailable("the reply was lost".into())),
            Self::BreakAfter(_, error) => Err(error.clone()),
        }
    }

    /// The reply of a call that reads.
    fn stream(self, stream: ByteStream) -> Result<ByteStream, StoreError> {
        match self {
            Self::BreakAfter(bytes, error) => {
                let pieces = first(stream, bytes, |piece| piece.as_ref().map_or(0, Bytes::len));
                let pieces = pieces.map(|(piece, keep)| piece.map(|piece| piece.slice(..keep)));
                Ok(Box::pin(pieces.chain(stream::iter([Err(error)]))))
            }
            plan => plan.reply(stream),
        }
    }
}

/// The pieces of a stream until `limit` bytes, each with how much of it to keep.
fn first<'a, T: Send + 'a>(
    stream: impl stream::Stream<Item = T> + Send + 'a,
    limit: u64,
    length: fn(&T) -> usize,
) -> impl stream::Stream<Item = (T, usize)> + Send + 'a {
    stream.scan(limit, move |left, piece| {
        let keep = length(&piece).min(usize::try_from(*left).unwrap_or(usize::MAX));
        let ended = *left == 0;
        *left -= keep as u64;
        std::future::ready((!ended).then_some((piece, keep)))
    })
}

#[async_trait]
impl<B: Blobs> Blobs for FaultyBlobs<B> {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        let plan = self.begin(Method::Head)?;
        plan.reply(self.inner.head(key).await?)
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        let plan = self.begin(Method::Read)?;
        let content = self.inner.read(key, range).await?;
        Ok(Content { stream: plan.stream(content.stream)?, ..content })
    }

    async fn stage(&self, upload: &UploadId) -> Result<Staged, StageError> {
        let plan = self.begin(Method::Stage)?;
        Ok(plan.reply(self.inner.stage(upload).await?)?)
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        let plan = self.begin(Method::Append)?;
        let Plan::BreakAfter(bytes, error) = plan else {
            return Ok(plan.reply(self.inner.append(upload, staged, chunks).await?)?);
        };
        let chunks = first(chunks, bytes, Bytes::len);
        let chunks = Box::pin(chunks.map(|(piece, keep)| piece.slice(..keep)));
        let after = self.inner.append(upload, staged, chunks).await?;
        self.inner.roll_back(upload, staged, &after).await?;
        Err(error.into())
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        let plan = self.begin(Method::ReadStaged)?;
        Ok(plan.stream(self.inner.read_staged(upload, staged).await?)?)
    }

    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        let plan = self.begin(Method::Finish)?;
        self.inner.finish(upload, staged, key).await?;
        Ok(plan.reply(())?)
    }

    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError> {
        let plan = self.begin(Method::RollBack)?;
        self.inner.roll_back(upload, before, after).await?;
        plan.reply(())
    }

    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        let plan = self.begin(Method::Discard)?;
        self.inner.discard(upload, staged).await?;
        Ok(plan.reply(())?)
    }

    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        let mut deletion = Deletion::default();
        for key in keys {
            let deleted = match self.begin(Method::Delete) {
                Ok(plan) => match self.inner.delete_all(&[*key]).await.fault {
                    None => plan.reply(()),
                    Some(fault) => Err(fault),
                },
                Err(fault) => Err(fault),
            };
            deletion.add(*key, deleted);
        }
        deletion
    }

    async fn check(&self) -> Result<(), StoreError> {
        let plan = self.begin(Method::Check)?;
        self.inner.check().await?;
        plan.reply(())
    }
}

#[async_trait]
impl<B: MappedReads> MappedReads for FaultyBlobs<B> {
    async fn read_mapped(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError> {
        let plan = self.begin(Method::Read)?;
        let content = self.inner.read_mapped(key, range).await?;
        Ok(Content { stream: plan.stream(content.stream)?, ..content })
    }
}
