//! Reading objects: pieces made on blocking threads, one ahead of who reads fast.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use rustix::fs::Advice;
use rustix::io::Errno;
use tokio::task::JoinHandle;
use wharf_core::StoreError;
use wharf_core::blobs::{ByteStream, Content, ReadError, StageError};
use wharf_oci::ByteRange;

use super::blocking::died;
use super::faults::store_error;
use super::mapping::Mapping;
use super::pace::{Pace, SMALLEST};

/// How a piece gets its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Read into memory of its own.
    Copied,
    /// The kernel's own pages of the file.
    Mapped,
}

impl Mode {
    /// The largest piece in bytes. Copies stay within the processor's caches; a mapping costs its time by
    /// the page and by the call, of which a larger one needs fewer.
    const fn largest(self) -> usize {
        match self {
            Self::Copied => 256 << 10,
            Self::Mapped => 2 << 20,
        }
    }
}

/// Opens an object and reads the first piece of `range`: all of a small one in a single trip to the disk.
pub(super) fn open(
    path: &Path,
    range: Option<ByteRange>,
    mode: Mode,
) -> Result<Content, ReadError> {
    let doing = |error: &io::Error| store_error("opening an object", error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::NotFound),
        Err(error) => return Err(doing(&error).into()),
    };
    of_file(file, range, mode)
}

/// The same for a file that was opened.
pub(super) fn of_file(
    file: File,
    range: Option<ByteRange>,
    mode: Mode,
) -> Result<Content, ReadError> {
    let doing = |error: &io::Error| store_error("opening an object", error);
    let size = file.metadata().map_err(|error| doing(&error))?.len();
    let range = match range {
        None => 0..size,
        Some(range) => range.within(size).ok_or(ReadError::Unsatisfiable { size })?,
    };
    Ok(Content { size, range: range.clone(), stream: begin(file, range, mode)? })
}

/// Opens a staged file for its first `length` bytes.
pub(super) fn open_staged(path: &Path, length: u64) -> Result<ByteStream, StageError> {
    if length == 0 {
        return Ok(Box::pin(stream::empty()));
    }
    match File::open(path) {
        Ok(file) => Ok(begin(file, 0..length, Mode::Copied)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StageError::NotFound),
        Err(error) => Err(store_error("opening an upload", &error).into()),
    }
}

fn begin(file: File, range: Range<u64>, mode: Mode) -> Result<ByteStream, StoreError> {
    if range.is_empty() {
        return Ok(Box::pin(stream::empty()));
    }
    let length = length_of_piece(&range, SMALLEST);
    if length as u64 == range.end - range.start {
        let piece = copied(&file, range.start, length).map_err(|error| failed(&error))?;
        return Ok(Box::pin(stream::iter([Ok(piece)])));
    }
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
    let first = made(&file, range.start, length, mode).map_err(|error| failed(&error))?;
    let rest = range.start + length as u64..range.end;
    let pace = Pace::new(mode.largest());
    let reading =
        Reading { file: Arc::new(file), mode, rest, pace, first: Some(first), ahead: None };
    Ok(Box::pin(stream::unfold(reading, |mut reading| async move {
        let piece = reading.next().await?;
        Some((piece, reading))
    })))
}

/// A read under way.
struct Reading {
    file: Arc<File>,
    mode: Mode,
    /// What no piece was begun for yet.
    rest: Range<u64>,
    pace: Pace,
    first: Option<Bytes>,
    /// The piece after the one handed out last, begun before it is asked for.
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        self.pace.asked();
        let piece = match self.first.take() {
            Some(first) => Ok(first),
            None => {
                let piece = match self.ahead.take() {
                    Some(ahead) => ahead,
                    None => self.begin_piece()?,
                };
                if self.pace.reads_ahead() {
                    self.ahead = self.begin_piece();
                }
                match piece.await {
                    Ok(piece) => piece.map_err(|error| failed(&error)),
                    Err(_) => Err(died()),
                }
            }
        };
        match &piece {
            Ok(piece) => self.pace.handed(piece.len()),
            Err(_) => {
                self.rest = 0..0;
                self.ahead = None;
            }
        }
        Some(piece)
    }

    /// Begins the next piece on a blocking thread; `None` at the end.
    fn begin_piece(&mut self) -> Option<JoinHandle<io::Result<Bytes>>> {
        if self.rest.is_empty() {
            return None;
        }
        let (file, mode, offset) = (Arc::clone(&self.file), self.mode, self.rest.start);
        let length = length_of_piece(&self.rest, self.pace.size());
        self.rest.start += length as u64;
        Some(tokio::task::spawn_blocking(move || made(&file, offset, length, mode)))
    }
}

/// Pieces end at multiples of their size: there mappings may begin, and there a large one can be a huge page.
fn length_of_piece(rest: &Range<u64>, size: usize) -> usize {
    let into = (rest.start % size as u64) as usize;
    usize::try_from(rest.end - rest.start).unwrap_or(usize::MAX).min(size - into)
}

fn made(file: &File, offset: u64, length: usize, mode: Mode) -> io::Result<Bytes> {
    if mode == Mode::Mapped {
        match Mapping::new(file, offset, length) {
            Ok(mapping) => return Ok(Bytes::from_owner(mapping)),
            // File systems that cannot map, kernels that cannot populate (before 5.14), too many mappings.
            Err(Errno::INVAL | Errno::NODEV | Errno::NOMEM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    copied(file, offset, length)
}

fn copied(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(length);
    while piece.len() < length {
        let position = offset + piece.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut piece), position) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // An allocation may be larger than was asked for, and so may what was read.
    piece.truncate(length);
    Ok(piece.into())
}

fn failed(error: &io::Error) -> StoreError {
    store_error("reading an object", error)
}
