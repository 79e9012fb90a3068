//! The push of a large blob in parts, side by side, where the registry offers that; else by the standard protocol.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::future::FusedFuture as _;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::OnceCell;
use wharf_oci::Descriptor;

use super::direct_session::{Address, Arrived, Begun, DirectSession, is_offered};
use super::{Registry, Repository};
use crate::connection::backoff;
use crate::verify::Verifier;
use crate::{BlobSource, BlobStream, Error, Event, Progress};

/// The least blob in bytes that is sent so: a smaller one gains nothing by it.
const LEAST: u64 = 32 << 20;

/// How many parts are on their way at once, and how many bytes of them, so that memory stays bounded.
const AT_ONCE: u64 = 4;
const BYTES_AT_ONCE: u64 = 64 << 20;

/// What is known of a registry's direct uploads, as long as it is spoken to.
#[derive(Default)]
pub(super) struct DirectUploads {
    offered: OnceCell<bool>,
    /// One went wrong: parts cannot be sent from here.
    given_up: AtomicBool,
}

impl Registry {
    /// Sends every blob by the standard protocol, though the registry may offer more.
    #[must_use]
    pub fn without_direct_uploads(self) -> Self {
        self.direct.given_up.store(true, Ordering::Relaxed);
        self
    }
}

/// Why a direct upload did not end in a blob.
enum Failed {
    /// The source is at fault: no other way would do better.
    Source(Error),
    /// The way is.
    Way(Error),
}

impl Repository {
    /// Sends a blob in parts. `false` where it has to go by the standard protocol.
    ///
    /// # Errors
    /// When the source is not that blob.
    pub(super) async fn push_directly(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        progress: &Arc<dyn Progress>,
    ) -> Result<bool, Error> {
        let known = &self.registry().direct;
        if blob.size < LEAST
            || known.given_up.load(Ordering::Relaxed)
            || !*known.offered.get_or_init(|| is_offered(self)).await
        {
            return Ok(false);
        }
        let error = match self.send_directly(blob, from, progress).await {
            Ok(()) => return Ok(true),
            Err(Failed::Source(error)) => return Err(error),
            Err(Failed::Way(error)) => error,
        };
        known.given_up.store(true, Ordering::Relaxed);
        progress.event(Event::Retrying { digest: blob.digest, reason: &error });
        // The last reply may have been lost.
        Ok(matches!(self.blob_size(&blob.digest).await, Ok(Some(size)) if size == blob.size))
    }

    async fn send_directly(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), Failed> {
        let session = match DirectSession::open(self, blob.size).await.map_err(Failed::Way)? {
            Begun::Held => return Ok(()),
            Begun::Session(session) => session,
        };
        let sending = Sending { session, blob, progress };
        let sent = sending.run(from).await;
        if sent.is_err() {
            sending.session.cancel().await;
        }
        sent
    }
}

/// A direct upload under way.
struct Sending<'a> {
    session: DirectSession<'a>,
    blob: &'a Descriptor,
    progress: &'a Arc<dyn Progress>,
}

impl Sending<'_> {
    async fn run(&self, from: &dyn BlobSource) -> Result<(), Failed> {
        let parts = Parts {
            bytes: from.blob(self.blob, 0).await.map_err(Failed::Source)?,
            verifier: Verifier::new(self.blob.digest, self.blob.size),
            left: Bytes::new(),
            number: 0,
            addresses: BTreeMap::new(),
        };
        let at_once = (BYTES_AT_ONCE / self.session.part_size).clamp(1, AT_ONCE) as usize;
        let mut arrived: Vec<Option<Arrived>> = vec![None; self.session.count as usize];
        let mut position = 0;
        let mut under_way = FuturesUnordered::new();
        let mut cutting = pin!(self.cut(parts).fuse());
        loop {
            // Parts are on their way while the next one is read.
            tokio::select! {
                cut = &mut cutting, if !cutting.is_terminated() && under_way.len() < at_once => {
                    let Some(((number, address, bytes), parts)) = cut? else { continue };
                    under_way.push(self.send(number, address, bytes));
                    cutting.set(self.cut(parts).fuse());
                }
                Some(sent) = under_way.next() => {
                    let (number, size, part) = sent?;
                    arrived[number as usize - 1] = Some(part);
                    position += size;
                    self.progress.event(Event::Advanced { digest: self.blob.digest, position });
                }
                else => break,
            }
        }
        drop(under_way);
        let arrived: Vec<Arrived> = arrived.into_iter().flatten().collect();
        self.session.close(&self.blob.digest, &arrived).await.map_err(Failed::Way)
    }

    /// The next part and where it goes; none after the last, when all of them were verified.
    async fn cut(&self, mut parts: Parts) -> Result<Option<(NextPart, Parts)>, Failed> {
        if parts.number == self.session.count {
            parts.verifier.finish().map_err(Failed::Source)?;
            return Ok(None);
        }
        parts.number += 1;
        let bytes = parts.next(self.session.part_size).await.map_err(Failed::Source)?;
        let address = self.session.address(parts.number, &mut parts.addresses).await;
        Ok(Some(((parts.number, address.map_err(Failed::Way)?, bytes), parts)))
    }

    async fn send(
        &self,
        number: u32,
        address: Address,
        bytes: Bytes,
    ) -> Result<(u32, u64, Arrived), Failed> {
        let size = bytes.len() as u64;
        let arrived = self.send_until_there(number, address, bytes).await.map_err(Failed::Way)?;
        Ok((number, size, arrived))
    }

    /// Sends a part until it arrives, each time to where the registry says then.
    async fn send_until_there(
        &self,
        number: u32,
        first: Address,
        bytes: Bytes,
    ) -> Result<Arrived, Error> {
        let retries = self.session.retries();
        let mut address = Ok(first);
        let mut failures = 0;
        loop {
            let sent = match address {
                Ok(address) => self.session.send(number, address, bytes.clone()).await,
                Err(error) => Err(error),
            };
            let error = match sent {
                Ok(arrived) => return Ok(arrived),
                Err(error) => error,
            };
            failures += 1;
            // Who cannot be reached at all will not be in a moment, and there is another way.
            let hopeless = matches!(error, Error::Unreachable { .. } | Error::Tls { .. });
            if hopeless || failures >= retries.attempts {
                return Err(error);
            }
            self.progress.event(Event::Retrying { digest: self.blob.digest, reason: &error });
            tokio::time::sleep(backoff(&retries, failures)).await;
            address = self.session.address_again(number).await;
        }
    }
}

/// The blob's bytes, verified as they are cut into parts.
struct Parts {
    bytes: BlobStream,
    verifier: Verifier,
    /// What came behind the end of the last part.
    left: Bytes,
    /// The last part.
    number: u32,
    /// Where the next ones go, as far as it was told.
    addresses: BTreeMap<u32, Address>,
}

/// A part, its number and where it goes.
type NextPart = (u32, Address, Bytes);

impl Parts {
    /// The next part; the last may be shorter.
    async fn next(&mut self, size: u64) -> Result<Bytes, Error> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut part = BytesMut::new();
        while part.len() < size {
            if self.left.is_empty() {
                match self.bytes.next().await.transpose()? {
                    Some(bytes) => {
                        self.verifier.see_next(&bytes)?;
                        self.left = bytes;
                    }
                    None => {
                        // Too short is told before anything of it is sent as if it were whole.
                        self.verifier.finish()?;
                        break;
                    }
                }
            }
            let room = self.left.len().min(size - part.len());
            part.extend_from_slice(&self.left.split_to(room));
        }
        Ok(part.freeze())
    }
}
