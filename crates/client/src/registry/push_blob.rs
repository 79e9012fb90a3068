//! Pushing a blob: asked for, mounted, or sent.

use std::sync::Arc;

use bytes::Bytes;
use wharf_oci::{Descriptor, RepositoryName};

use super::Repository;
use super::session::{Opened, Session};
use super::upload::Upload;
use crate::connection::backoff;
use crate::{BlobSource, Error, Event, Progress};

/// A blob of at most so many bytes is sent in the request that closes its upload, which spares one.
const SMALL: usize = 1 << 20;

/// How a blob came to be at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Its bytes were moved.
    Copied,
    /// It was there.
    Held,
    /// The registry took it from another of its repositories.
    Mounted,
}

impl Repository {
    /// Pushes a blob whose bytes `from` has, unless the repository holds it or can mount it from `mount`.
    /// Digest and size are verified before the upload is closed.
    ///
    /// # Errors
    /// When the source is not that blob, or the registry refuses it, or the connection keeps breaking.
    pub async fn push_blob(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        mount: Option<&RepositoryName>,
        progress: &Arc<dyn Progress>,
    ) -> Result<Placed, Error> {
        match self.blob_size(&blob.digest).await? {
            Some(size) if size == blob.size => return Ok(Placed::Held),
            Some(found) => {
                return Err(Error::Size { digest: blob.digest, expected: blob.size, found });
            }
            None => {}
        }
        let mut first = match Session::open(self, &blob.digest, mount).await? {
            Opened::Mounted => return Ok(Placed::Mounted),
            Opened::Session(session) => Some(session),
        };
        if blob.size <= SMALL as u64 {
            let bytes = crate::verified_bytes(from, blob, SMALL).await?;
            self.push_small(blob, bytes, &mut first, progress).await?;
        } else {
            let Some(session) = first else { return Ok(Placed::Held) };
            match self.push_directly(blob, from, progress).await {
                Ok(false) => {}
                done => {
                    session.cancel().await;
                    return done.map(|_| Placed::Copied);
                }
            }
            Upload::new(self, blob, from, session, progress).run().await?;
        }
        Ok(Placed::Copied)
    }

    /// Sends a small blob at once, and once more in a new session where that breaks.
    async fn push_small(
        &self,
        blob: &Descriptor,
        bytes: Bytes,
        first: &mut Option<Session>,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), Error> {
        let retries = self.client().options().retries;
        let mut failures = 0;
        loop {
            let session = match first.take() {
                Some(session) => session,
                None => match Session::open(self, &blob.digest, None).await? {
                    Opened::Session(session) => session,
                    Opened::Mounted => return Ok(()),
                },
            };
            let error = match session.close(&blob.digest, Some(bytes.clone())).await {
                Ok(()) => break,
                Err(error) => error,
            };
            failures += 1;
            if !is_worth_another(&error) || failures >= retries.attempts {
                session.cancel().await;
                return Err(error);
            }
            progress.event(Event::Retrying { digest: blob.digest, reason: &error });
            tokio::time::sleep(backoff(&retries, failures)).await;
            // The request may have arrived, and only its reply been lost.
            if self.blob_size(&blob.digest).await? == Some(blob.size) {
                break;
            }
        }
        progress.event(Event::Advanced { digest: blob.digest, position: blob.size });
        Ok(())
    }
}

/// Whether the error may be one of this request or session only.
pub(super) fn is_worth_another(error: &Error) -> bool {
    let is_of_the_session =
        error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 404 | 416 | 500..));
    error.is_transient() || is_of_the_session
}
