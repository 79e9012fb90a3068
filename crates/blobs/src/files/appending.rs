//! Appending to an upload: one piece written while the next is awaited, and all of it synced at the end.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use rustix::fs::Advice;
use wharf_core::assembly_line::AssemblyLine;
use wharf_core::blobs::{Chunks, StageError};

use super::blocking::blocking;
use super::direct::Direct;
use super::folders;
use super::staging::{Place, failed};

/// After how many bytes the kernel is told to begin writing them to the disk, so that the sync at the end
/// finds little left to do.
const WRITEBACK: u64 = 16 << 20;

/// Appends `chunks` until they end, and returns how far the upload is then.
pub(super) async fn append(place: Place, mut chunks: Chunks<'_>) -> Result<u64, StageError> {
    let Some(first) = chunks.next().await else {
        return blocking(move || Appending::open(place)?.finish()).await;
    };
    // A small body is one piece and its end is known at once: one trip to a blocking thread does it all.
    let mut next = chunks.next().now_or_never();
    if matches!(next, Some(None)) {
        return blocking(move || Appending::open(place)?.write(&first)?.finish()).await;
    }
    let appending = blocking(move || Appending::open(place)?.write(&first)).await?;
    let mut writing = AssemblyLine::new(appending, Appending::write);
    loop {
        let piece = match next.take() {
            Some(ready) => ready,
            None => chunks.next().await,
        };
        let Some(piece) = piece else { break };
        writing.give(piece).await?;
    }
    let appending = writing.finish().await?;
    blocking(move || appending.finish()).await
}

/// An append under way. One that fails takes back what it wrote. One that is dropped with its request leaves
/// it: whatever comes next to the upload begins by forgetting it.
struct Appending {
    place: Place,
    file: File,
    direct: Direct,
    /// Where the next byte goes.
    position: u64,
    /// Up to where the kernel was told to write to the disk.
    pushed: u64,
}

impl Appending {
    fn open(place: Place) -> Result<Self, StageError> {
        let Some((file, length)) = place.open()? else { return Err(StageError::NotFound) };
        if length > place.offset {
            file.set_len(place.offset).map_err(|error| failed("cutting an upload", &error))?;
        }
        let position = place.offset;
        Ok(Self { place, file, direct: Direct::new(), position, pushed: position })
    }

    fn write(mut self, piece: &Bytes) -> Result<Self, StageError> {
        if let Err(error) = self.direct.write_all_at(&self.file, piece, self.position) {
            self.place.cut_back(&self.file);
            return Err(failed("writing an upload", &error));
        }
        self.position += piece.len() as u64;
        if self.position - self.pushed >= WRITEBACK {
            self.start_writeback();
        }
        Ok(self)
    }

    /// Has the kernel begin to write what it holds. "Don't need" does so for what is dirty, and drops only
    /// what is clean already. It is advice: if it fails, the sync at the end takes longer.
    fn start_writeback(&mut self) {
        let length = NonZeroU64::new(self.position - self.pushed);
        let _ = rustix::fs::fadvise(&self.file, self.pushed, length, Advice::DontNeed);
        self.pushed = self.position;
    }

    fn finish(self) -> Result<u64, StageError> {
        if let Err(error) = self.sync() {
            self.place.cut_back(&self.file);
            return Err(failed("syncing an upload", &error));
        }
        Ok(self.position)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.place.offset == 0 {
            // The file's name is as new as its bytes.
            folders::sync(self.place.staging())?;
        }
        Ok(())
    }
}
