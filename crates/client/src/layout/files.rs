//! Blobs from and to files: large pieces, on threads of their own, never a whole blob in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use wharf_oci::Descriptor;

use crate::verify::Verifier;
use crate::{BlobStream, Error, Event, Progress};

/// How much is read or written at once, in bytes.
pub(crate) const PIECE: usize = 1 << 20;

/// How many pieces wait between two threads.
const WAITING: usize = 2;

/// Where in which file something lies.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) file: Arc<File>,
    pub(crate) path: PathBuf,
    pub(crate) start: u64,
}

/// `length` bytes from `place` on.
pub(crate) fn read_range(place: Place, length: u64) -> BlobStream {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let Place { file, path, start } = place;
        let mut done = 0;
        while done < length {
            let size = usize::try_from(length - done).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; size];
            let read = file.read_exact_at(&mut piece, start + done);
            let result = read.map(|()| Bytes::from(piece)).map_err(Error::file(&path));
            let failed = result.is_err();
            // Nobody listens any more, or there is nothing more to say.
            if sender.blocking_send(result).is_err() || failed {
                return;
            }
            done += size as u64;
        }
    });
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
    .boxed()
}

/// Writes a whole blob to `place`, verifies it, and has the disk keep it.
pub(crate) async fn write_blob(
    place: Place,
    blob: &Descriptor,
    mut bytes: BlobStream,
    progress: &Arc<dyn Progress>,
) -> Result<(), Error> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let verifier = Verifier::new(blob.digest, blob.size);
    let path = place.path.clone();
    let writer = tokio::task::spawn_blocking(move || write_pieces(&place, verifier, receiver));
    let fed = feed(&mut bytes, &sender, blob, progress).await;
    drop(sender);
    let written =
        writer.await.map_err(|error| Error::File { path, reason: io::Error::other(error) });
    match (fed, written) {
        // The source's own error says more than that its bytes ended.
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(written)) => written,
    }
}

/// Gathers a stream's small pieces into large ones for the thread that writes.
async fn feed(
    bytes: &mut BlobStream,
    sender: &mpsc::Sender<Bytes>,
    blob: &Descriptor,
    progress: &Arc<dyn Progress>,
) -> Result<(), Error> {
    let mut position = 0;
    let mut gathered = BytesMut::new();
    while let Some(next) = bytes.next().await.transpose()? {
        position += next.len() as u64;
        progress.event(Event::Advanced { digest: blob.digest, position });
        let piece = if gathered.is_empty() && next.len() >= PIECE {
            next
        } else {
            gathered.extend_from_slice(&next);
            if gathered.len() < PIECE {
                continue;
            }
            gathered.split().freeze()
        };
        // The writer gave up; it says why.
        if sender.send(piece).await.is_err() {
            return Ok(());
        }
    }
    if !gathered.is_empty() {
        let _ = sender.send(gathered.freeze()).await;
    }
    Ok(())
}

fn write_pieces(
    place: &Place,
    mut verifier: Verifier,
    mut receiver: mpsc::Receiver<Bytes>,
) -> Result<(), Error> {
    while let Some(piece) = receiver.blocking_recv() {
        let at = place.start + verifier.position();
        verifier.see_next(&piece)?;
        place.file.write_all_at(&piece, at).map_err(Error::file(&place.path))?;
    }
    verifier.finish()?;
    place.file.sync_data().map_err(Error::file(&place.path))
}

/// Opens a file that must be one: no link, no folder, no device, no pipe that would wait for ever.
pub(super) fn open_regular(path: &Path) -> Result<(File, u64), Error> {
    let metadata = std::fs::symlink_metadata(path).map_err(Error::file(path))?;
    if metadata.is_symlink() {
        return Err(Error::format(path, "is a symbolic link; a layout holds the files themselves"));
    }
    if !metadata.is_file() {
        return Err(Error::format(path, "is no regular file"));
    }
    let file = File::open(path).map_err(Error::file(path))?;
    Ok((file, metadata.len()))
}

/// A small file as a whole, of at most `limit` bytes.
pub(super) fn read_small(path: &Path, limit: usize) -> Result<Bytes, Error> {
    use std::io::Read as _;
    let (file, _) = open_regular(path)?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(Error::file(path))?;
    if bytes.len() > limit {
        return Err(Error::TooLarge { what: path.display().to_string(), limit: limit as u64 });
    }
    Ok(bytes.into())
}
