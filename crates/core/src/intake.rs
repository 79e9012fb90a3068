//! The way of a request's bytes to the store: gathered into large pieces, hashed beside the writing.
//!
//! Frames come small, so they are gathered: a write, a hash and a hop between threads per frame would
//! cost ten times the copy. Each piece is hashed on a thread of its own while the store writes it and the
//! next are gathered, so that an upload runs at the pace of the slowest of the three. A few pieces may wait
//! before each (see [`crate::assembly_line`]); there are six at most, and only for who sends fast.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use wharf_oci::Hasher;

use crate::assembly_line::{AssemblyLine, Lost};
use crate::error::SourceFault;
use crate::{Error, StoreError};

/// How many bytes are gathered before they are hashed and written: exactly so many, since stores can write
/// what is aligned at less cost. Twice as much was slower.
const PIECE: usize = 1 << 20;

/// Where in memory the pieces of a body that comes fast begin: at a multiple of so many bytes.
pub const PIECE_ALIGNMENT: usize = 4096;

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
    /// A quota has no room for them; or nobody can say whether it has.
    NoRoom,
}

/// The bytes of a request's body.
pub type Source<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, SourceError>> + Send + 'a>>;

/// A body on its way in.
pub(crate) struct Intake<'a> {
    source: Source<'a>,
    hashing: AssemblyLine<Box<Hasher>, Lost>,
    lost: Option<Lost>,
    /// Whether the last piece came whole.
    fast: bool,
    /// The end of a frame whose beginning went into the last piece.
    left: Bytes,
    fault: Option<SourceError>,
    ended: bool,
}

impl<'a> Intake<'a> {
    /// Takes in `source`, going on with `hasher`.
    pub(crate) fn new(source: Source<'a>, hasher: Hasher) -> Self {
        Self {
            source,
            hashing: AssemblyLine::new(Box::new(hasher), |mut hasher, piece| {
                hasher.update(piece);
                Ok(hasher)
            }),
            lost: None,
            fast: false,
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
            if let Err(lost) = intake.hash(piece.clone()).await {
                intake.lost = Some(lost);
                return None;
            }
            Some((piece, intake))
        })
    }

    /// The hash of all bytes handed out, and why they ended early, if they did.
    pub(crate) async fn finish(self) -> Result<(Hasher, Option<SourceError>), Error> {
        let hashed = match self.lost {
            Some(lost) => Err(lost),
            None => self.hashing.finish().await,
        };
        Ok((*hashed.map_err(StoreError::from)?, self.fault))
    }

    async fn gather(&mut self) -> Option<Bytes> {
        let mut piece = BytesMut::new();
        while piece.len() < PIECE {
            let Some(frame) = self.next_frame().await else { break };
            let room = PIECE - piece.len();
            if piece.is_empty() && (self.fast || frame.len() >= FAST_FRAME) {
                // A body that comes fast: room for the whole piece at once.
                piece = page_aligned_room();
            }
            piece.extend_from_slice(&frame[..frame.len().min(room)]);
            self.left = frame.slice(frame.len().min(room)..);
        }
        self.fast = piece.len() == PIECE;
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

    async fn hash(&mut self, piece: Bytes) -> Result<(), Lost> {
        if piece.len() < SMALL_PIECE {
            self.hashing.give_small(piece).await
        } else {
            self.hashing.give(piece).await
        }
    }
}

/// Room for a piece, at the beginning of a page.
fn page_aligned_room() -> BytesMut {
    let mut room = BytesMut::with_capacity(PIECE + PIECE_ALIGNMENT);
    let skipped = room.as_ptr().align_offset(PIECE_ALIGNMENT).min(PIECE_ALIGNMENT);
    room.resize(skipped, 0);
    room.split_off(skipped)
}

impl From<SourceError> for Error {
    fn from(fault: SourceError) -> Self {
        match fault {
            SourceError::Broken => SourceFault::Broken.into(),
            SourceError::TooSlow => SourceFault::TooSlow.into(),
            SourceError::NoRoom => SourceFault::Broken.into(),
            SourceError::TooLong { limit } => Self::TooLarge { what: "the content", limit },
        }
    }
}
