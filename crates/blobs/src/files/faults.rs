//! What the operating system reports, told by what the caller can do about it.

use std::io;

use rustix::io::Errno;
use wharf_core::StoreError;

/// The fault that `error` is. `doing` says what was being done; paths are left out, they name uploads.
pub(super) fn store_error(doing: &str, error: &io::Error) -> StoreError {
    let text = format!("{doing}: {error}");
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => StoreError::Full(text),
        // A failing disk or file system; FAULT and HWPOISON are what a mapping says of one.
        Some(Errno::IO | Errno::UCLEAN | Errno::BADMSG | Errno::FAULT | Errno::HWPOISON) => {
            StoreError::Corrupt(text)
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => StoreError::Corrupt(text),
        _ => StoreError::Unavailable(text),
    }
}
