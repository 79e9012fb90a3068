//! The way of a request's bytes to the store: gathered into large pieces, hashed beside the writing.
//!
//! Frames come small, so they are gathered: a write, a hash and a hop between threads per frame would
//! cost ten times the copy. Each piece is hashed on a thread of its own while the store writes it and
//! the next is gathered, so that an upload runs at the pace of the slowest of the three.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use tokio::task::JoinHandle;
use wharf_oci::Hasher;

use crate::error::SourceFault;
use crate::{Error, StoreError};

/// How many bytes are gathered before they are hashed and written. Three such pieces exist at most for an
/// upload: one gathered, one hashed, one written.
const PIECE: usize = 1 << 20;

/// Why a request's bytes ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// The connection ended before the body did.
    Broken,
    /// The bytes came too slowly.
    TooSlow,
    /// There were more than the request may have.
    TooLong {
        /// How many it may have.
        limit: u64,
    },
}

/// The bytes of a request's body.
pub type Source<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, SourceError>> + Send + 'a>>;

/// A body on its way in.
pub(crate) struct Intake<'a> {
    source: Source<'a>,
    hashing: Hashing,
    fault: Option<SourceError>,
    ended: bool,
}

/// A running hash, at rest or at work on another thread.
enum Hashing {
    Idle(Box<Hasher>),
    Busy(JoinHandle<Box<Hasher>>),
    Failed,
}

impl<'a> Intake<'a> {
    /// Takes in `source`, going on with `hasher`.
    pub(crate) fn new(source: Source<'a>, hasher: Hasher) -> Self {
        Self { source, hashing: Hashing::Idle(Box::new(hasher)), fault: None, ended: false }
    }

    /// The bytes, in large pieces, each given to the hash as it is handed out. It ends at the first fault,
    /// after the bytes that came before it.
    pub(crate) fn pieces(&mut self) -> impl Stream<Item = Bytes> + Send + use<'_, 'a> {
        stream::unfold(self, |intake| async move {
            let piece = intake.gather().await?;
            intake.hash(piece.clone()).await;
            Some((piece, intake))
        })
    }

    /// The hash of all bytes handed out, and why they ended early, if they did.
    pub(crate) async fn finish(mut self) -> Result<(Hasher, Option<SourceError>), Error> {
        self.rest().await;
        match self.hashing {
            Hashing::Idle(hasher) => Ok((*hasher, self.fault)),
            _ => Err(StoreError::Unavailable("the hashing thread died".into()).into()),
        }
    }

    async fn gather(&mut self) -> Option<Bytes> {
        let mut piece = BytesMut::new();
        while !self.ended {
            match self.source.next().await {
                Some(Ok(frame)) if piece.is_empty() && frame.len() >= PIECE => return Some(frame),
                Some(Ok(frame)) => {
                    if piece.is_empty() && frame.len() > PIECE / 64 {
                        // A body that comes fast: room for the whole piece at once.
                        piece.reserve(PIECE);
                    }
                    piece.extend_from_slice(&frame);
                    if piece.len() >= PIECE - frame.len().min(PIECE / 8) {
                        return Some(piece.freeze());
                    }
                }
                Some(Err(fault)) => {
                    self.fault = Some(fault);
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }

    async fn hash(&mut self, piece: Bytes) {
        self.rest().await;
        self.hashing = match std::mem::replace(&mut self.hashing, Hashing::Failed) {
            Hashing::Idle(mut hasher) if piece.len() < PIECE / 16 => {
                hasher.update(&piece);
                Hashing::Idle(hasher)
            }
            Hashing::Idle(mut hasher) => Hashing::Busy(tokio::task::spawn_blocking(move || {
                hasher.update(&piece);
                hasher
            })),
            other => other,
        };
    }

    /// Waits until the hash is at rest.
    async fn rest(&mut self) {
        if let Hashing::Busy(task) = &mut self.hashing {
            self.hashing = task.await.map_or(Hashing::Failed, Hashing::Idle);
        }
    }
}

impl From<SourceError> for Error {
    fn from(fault: SourceError) -> Self {
        match fault {
            SourceError::Broken => SourceFault::Broken.into(),
            SourceError::TooSlow => SourceFault::TooSlow.into(),
            SourceError::TooLong { limit } => Self::TooLarge { what: "the content", limit },
        }
    }
}
