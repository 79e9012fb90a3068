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

/// How many bytes are gathered before they are hashed and written: exactly so many, since aligned writes let
/// the page cache keep large folios, which pulls map at less cost. Twice as much was slower. Three such
/// pieces exist at most for an upload: one gathered, one hashed, one written.
const PIECE: usize = 1 << 20;

/// A frame so large says that more come soon, in bytes.
const FAST_FRAME: usize = 16 << 10;

/// What is hashed where it is: the hop to another thread would cost more, in bytes.
const SMALL_PIECE: usize = 64 << 10;

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
    /// The end of a frame whose beginning went into the last piece.
    left: Bytes,
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
        Self {
            source,
            hashing: Hashing::Idle(Box::new(hasher)),
            left: Bytes::new(),
            fault: None,
            ended: false,
        }
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
        while piece.len() < PIECE {
            let Some(frame) = self.next_frame().await else { break };
            let room = PIECE - piece.len();
            if piece.is_empty() && frame.len() >= FAST_FRAME {
                // A body that comes fast: room for the whole piece at once.
                piece.reserve(PIECE);
            }
            piece.extend_from_slice(&frame[..frame.len().min(room)]);
            self.left = frame.slice(frame.len().min(room)..);
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }

    /// What did not fit into the last piece, else what comes next; `None` at the end or a fault.
    async fn next_frame(&mut self) -> Option<Bytes> {
        if !self.left.is_empty() {
            return Some(std::mem::take(&mut self.left));
        }
        if self.ended {
            return None;
        }
        match self.source.next().await {
            Some(Ok(frame)) => return Some(frame),
            Some(Err(fault)) => self.fault = Some(fault),
            None => {}
        }
        self.ended = true;
        None
    }

    async fn hash(&mut self, piece: Bytes) {
        self.rest().await;
        self.hashing = match std::mem::replace(&mut self.hashing, Hashing::Failed) {
            Hashing::Idle(mut hasher) if piece.len() < SMALL_PIECE => {
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
