//! Writing past the page cache, where a piece allows it.
//!
//! What is pushed would push what is pulled out of memory, and copying it there costs as much processor time as
//! receiving it. So the large pieces of an upload, which begin on a page, go straight to the disk. The rest,
//! and all of it on file systems that know no such writes, goes through the page cache.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::OFlags;
use wharf_core::PIECE_ALIGNMENT;

/// How a file is written.
pub(super) struct Direct {
    possible: bool,
    /// Whether the file is open for direct writes right now.
    on: bool,
}

impl Direct {
    /// For a file that was opened as usual.
    pub(super) fn new() -> Self {
        Self { possible: true, on: false }
    }

    /// Writes all of `piece` at `position`.
    pub(super) fn write_all_at(
        &mut self,
        file: &File,
        piece: &[u8],
        position: u64,
    ) -> io::Result<()> {
        if self.set(file, self.possible && is_aligned(piece, position)) {
            match file.write_all_at(piece, position) {
                // The disk wants more alignment than pages, or the file system did not mean it.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.possible = false,
                written => return written,
            }
            self.set(file, false);
        }
        file.write_all_at(piece, position)
    }

    /// Has the file written directly or not; returns how it is then.
    fn set(&mut self, file: &File, on: bool) -> bool {
        if on != self.on {
            let flags = if on { OFlags::DIRECT } else { OFlags::empty() };
            match rustix::fs::fcntl_setfl(file, flags) {
                Ok(()) => self.on = on,
                Err(_) => self.possible = false,
            }
        }
        self.on
    }
}

fn is_aligned(piece: &[u8], position: u64) -> bool {
    let alignment = PIECE_ALIGNMENT;
    piece.as_ptr().addr().is_multiple_of(alignment)
        && piece.len().is_multiple_of(alignment)
        && position.is_multiple_of(alignment as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// `length` bytes that begin on a page, or `off` bytes behind one.
    fn aligned(buffer: &mut Vec<u8>, off: usize, length: usize) -> &[u8] {
        buffer.resize(length + 2 * PIECE_ALIGNMENT, 7);
        let start = buffer.as_ptr().align_offset(PIECE_ALIGNMENT) + off;
        &buffer[start..start + length]
    }

    #[test]
    fn pieces_of_every_alignment_are_written() {
        let folder = tempfile::TempDir::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        let (mut direct, mut position, mut buffer) = (Direct::new(), 0, Vec::new());
        for (off, length) in [(0, 8192), (0, 4096), (1, 4096), (0, 100), (0, 4096), (3, 5)] {
            let piece = aligned(&mut buffer, off, length);
            direct.write_all_at(&file, piece, position).unwrap();
            position += length as u64;
        }
        assert_eq!(std::fs::read(path).unwrap(), vec![7; position as usize]);
    }

    #[test]
    fn what_knows_no_direct_writes_is_written_all_the_same() {
        let (mut direct, mut buffer) = (Direct::new(), Vec::new());
        let file = File::options().write(true).open("/dev/null").unwrap();
        direct.write_all_at(&file, aligned(&mut buffer, 0, 4096), 0).unwrap();
        direct.write_all_at(&file, &[1], 4096).unwrap();
        assert!(!direct.on);
    }
}
