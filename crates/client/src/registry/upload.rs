//! The push of a large blob, taken up again where its connection broke.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use wharf_oci::{ContentRange, Descriptor};

use super::Repository;
use super::push_blob::is_worth_another;
use super::session::{Held, Opened, Session};
use crate::connection::backoff;
use crate::verify::Verifier;
use crate::{BlobSource, BlobStream, Error, Event, Progress};

/// The push of one large blob.
pub(super) struct Upload<'a> {
    repository: &'a Repository,
    blob: &'a Descriptor,
    from: &'a dyn BlobSource,
    session: Session,
    progress: &'a Arc<dyn Progress>,
    /// How many bytes the registry holds.
    held: u64,
    seen: Arc<Seen>,
}

/// What went by on the way out: bodies live on after the request that sent them is given up.
struct Seen {
    verifier: Mutex<Verifier>,
    /// Why the source's bytes ended, where they did too early.
    error: Mutex<Option<Error>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Upload<'a> {
    /// A push that begins in `session`.
    pub(super) fn new(
        repository: &'a Repository,
        blob: &'a Descriptor,
        from: &'a dyn BlobSource,
        session: Session,
        progress: &'a Arc<dyn Progress>,
    ) -> Self {
        let verifier = Mutex::new(Verifier::new(blob.digest, blob.size));
        let seen = Arc::new(Seen { verifier, error: Mutex::default() });
        Self { repository, blob, from, session, progress, held: 0, seen }
    }

    /// Sends, again and again where the connection breaks but something came through.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let retries = self.repository.client().options().retries;
        let mut failures = 0;
        loop {
            let error = match self.step().await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    failures = 0;
                    continue;
                }
                Err(error) => lock(&self.seen.error).take().unwrap_or(error),
            };
            failures += 1;
            if !is_worth_another(&error) || failures >= retries.attempts {
                self.session.cancel().await;
                return Err(error);
            }
            self.progress.event(Event::Retrying { digest: self.blob.digest, reason: &error });
            tokio::time::sleep(backoff(&retries, failures)).await;
            let before = self.held;
            if self.take_up().await? {
                return Ok(());
            }
            if self.held > before {
                failures = 0;
            }
        }
    }

    /// Sends the next chunk or, when all is sent, closes the upload. Returns whether it is over.
    async fn step(&mut self) -> Result<bool, Error> {
        if self.held == self.blob.size {
            lock(&self.seen.verifier).finish()?;
            self.session.close(&self.blob.digest, None).await?;
            return Ok(true);
        }
        let range = ContentRange { first: self.held, last: self.end_of_chunk() - 1 };
        let bytes = self.from.blob(self.blob, self.held).await?;
        let bytes = self.watched(bytes, range);
        let held = self.session.send(range, bytes).await?;
        if let Some(error) = lock(&self.seen.error).take() {
            return Err(error);
        }
        if held <= self.held {
            return Err(Error::Broken {
                host: self.repository.registry().host().to_string(),
                reason: format!(
                    "the registry took none of the bytes {range} of {}",
                    self.blob.digest
                ),
            });
        }
        self.held = held;
        Ok(false)
    }

    fn end_of_chunk(&self) -> u64 {
        let wanted = self.repository.client().options().chunk_size.map(std::num::NonZeroU64::get);
        let chunk = wanted.map_or(u64::MAX, |size| size.max(self.session.smallest_chunk));
        self.held.saturating_add(chunk).min(self.blob.size)
    }

    /// The bytes of a chunk, verified and reported as they go by.
    fn watched(&self, bytes: BlobStream, range: ContentRange) -> BlobStream {
        let (seen, progress) = (Arc::clone(&self.seen), Arc::clone(self.progress));
        let digest = self.blob.digest;
        let end = range.first + range.length();
        // A stream behind its end is not asked again, so what it holds open is let go.
        let state = (Some(bytes), range.first);
        stream::unfold(state, move |(bytes, position)| {
            let (seen, progress) = (Arc::clone(&seen), Arc::clone(&progress));
            async move {
                let mut bytes = bytes.filter(|_| position < end)?;
                let next = match bytes.next().await {
                    Some(Ok(next)) => seen.check(position, end, next),
                    Some(Err(error)) => Err(error),
                    None => Err(Error::Size { digest, expected: end, found: position }),
                };
                match next {
                    Ok(next) => {
                        let position = position + next.len() as u64;
                        progress.event(Event::Advanced { digest, position });
                        Some((Ok(next), (Some(bytes), position)))
                    }
                    Err(error) => {
                        let told = Error::Setup(error.to_string());
                        *lock(&seen.error) = Some(error);
                        Some((Err(told), (None, position)))
                    }
                }
            }
        })
        .boxed()
    }

    /// After a failure: learns what the registry holds, or begins anew. Returns whether all is over.
    async fn take_up(&mut self) -> Result<bool, Error> {
        if self.held == self.blob.size {
            // The request to close may have arrived, and only its reply been lost.
            let size = self.repository.blob_size(&self.blob.digest).await?;
            if size == Some(self.blob.size) {
                return Ok(true);
            }
        }
        let sent = lock(&self.seen.verifier).position();
        match self.session.status().await {
            Ok(Held::Bytes(held)) if held <= sent => self.held = held,
            Ok(_) | Err(Error::Refused(_)) => {
                self.session.cancel().await;
                match Session::open(self.repository, &self.blob.digest, None).await? {
                    Opened::Mounted => return Ok(true),
                    Opened::Session(session) => self.session = session,
                }
                self.held = 0;
            }
            Err(error) => return Err(error),
        }
        Ok(false)
    }
}

impl Seen {
    /// Verifies what comes next, cut at the end of the chunk.
    fn check(&self, position: u64, end: u64, mut bytes: Bytes) -> Result<Bytes, Error> {
        bytes.truncate(usize::try_from(end - position).unwrap_or(usize::MAX));
        lock(&self.verifier).see(position, &bytes)?;
        Ok(bytes)
    }
}
