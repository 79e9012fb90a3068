//! Mapped pages of an object's file: the only unsafe code of the crate.
#![allow(unsafe_code, reason = "mapping a file has no safe interface")]

use std::ffi::c_void;
use std::fs::File;
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// A part of a file, mapped to be read; unmapped when it is dropped.
///
/// Its pages are there when it is made. Should the kernel take them back, for want of memory, whoever reads
/// them next waits for the disk.
///
/// **Who may read.** A page that the disk cannot give, or that a truncated file no longer has, is a SIGBUS
/// for code that reads it, but an error (`EFAULT`) for a system call. So pieces of a mapping go to
/// `writev` of a plain socket and nowhere else, as [`wharf_core::blobs::MappedReads`] asks of its users.
/// Truncation does not happen all the same: only files of `objects/` are mapped, Wharf never changes those
/// (it unlinks them, which leaves mappings whole), and no second Wharf works in a locked folder.
pub(super) struct Mapping {
    start: NonNull<c_void>,
    /// From `start` to the end of the part.
    mapped: usize,
    /// How far behind `start` the part begins.
    skipped: usize,
}

impl Mapping {
    /// Where in a file mappings begin: a multiple of every page size that Linux has.
    pub(super) const ALIGNMENT: u64 = 64 << 10;

    /// Maps `length` bytes from `offset` and waits until their pages are there.
    ///
    /// # Errors
    /// `INVAL` and `NODEV` where mapping or waiting is not supported, `FAULT` where the file is too short or
    /// the disk fails.
    pub(super) fn new(file: &File, offset: u64, length: usize) -> Result<Self, Errno> {
        let skipped = (offset % Self::ALIGNMENT) as usize;
        let mapped = length + skipped;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that Rust knows of.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                mapped,
                ProtFlags::READ,
                MapFlags::SHARED,
                file,
                offset - skipped as u64,
            )?
        };
        let start = NonNull::new(start).ok_or(Errno::INVAL)?;
        let mapping = Self { start, mapped, skipped };
        // SAFETY: the range is the mapping just made, and populating changes no byte of it.
        unsafe { rustix::mm::madvise(start.as_ptr(), mapped, Advice::LinuxPopulateRead)? };
        Ok(mapping)
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `skipped..mapped` lies within the mapping, which lives as long as `self`; the pages are
        // readable; and their bytes do not change, as an object's file never does (see the type).
        unsafe {
            let first = self.start.as_ptr().cast::<u8>().add(self.skipped);
            std::slice::from_raw_parts(first, self.mapped - self.skipped)
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and whatever borrowed from it is gone. It can only fail
        // where unmapping would split a mapping, which it does not.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.mapped) };
    }
}

// SAFETY: a read-only mapping belongs to the process, not to a thread, and has no interior mutability.
unsafe impl Send for Mapping {}
// SAFETY: as above: sharing it shares bytes that do not change.
unsafe impl Sync for Mapping {}
