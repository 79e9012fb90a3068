//! Putting a staged file in place as an object: durably, at once, and never over another.

use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use wharf_core::StoreError;
use wharf_core::blobs::{ObjectKey, StageError};

use super::folders;
use super::staging::{Place, failed};

/// Puts exactly the upload's first `offset` bytes in place under `key`.
pub(super) fn finish(place: &Place, key: &ObjectKey) -> Result<(), StageError> {
    let object = place.layout.object(key);
    let Some((file, length)) = place.open()? else {
        return finished_before(place, &object);
    };
    let synced = if length > place.offset {
        file.set_len(place.offset).and_then(|()| file.sync_all())
    } else if place.offset == 0 {
        file.sync_all()
    } else {
        // The append that wrote the last of these bytes synced them.
        Ok(())
    };
    let placed = synced.and_then(|()| put_in_place(place, key, &object));
    match placed.map_err(|error| failed("putting an object in place", &error)) {
        Ok(Placed::New) => Ok(()),
        Ok(Placed::ThereAlready) => {
            check_length(place, &object)?;
            let dropped = folders::remove(&place.path, place.staging());
            dropped.map_err(|error| failed("dropping an upload", &error))
        }
        Err(error) => {
            if place.offset == 0 {
                // Nothing was staged: the file is of this call's making.
                let _ = folders::remove(&place.path, place.staging());
            }
            Err(error)
        }
    }
}

/// What became of a staged file.
enum Placed {
    New,
    ThereAlready,
}

fn put_in_place(place: &Place, key: &ObjectKey, object: &Path) -> io::Result<Placed> {
    place.layout.ensure_shard(&key.digest, object)?;
    let placed = match rename(&place.path, object) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            place.layout.make_shard(&key.digest, object)?;
            rename(&place.path, object)?
        }
        placed => placed?,
    };
    // Also where the object was there: whoever put it there may not have come to this yet.
    if let Some(shard) = object.parent() {
        folders::sync(shard)?;
    }
    if matches!(placed, Placed::New) {
        folders::sync(place.staging())?;
    }
    Ok(placed)
}

/// Renames without replacing.
fn rename(from: &Path, to: &Path) -> io::Result<Placed> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Placed::New),
        Err(Errno::EXIST) => Ok(Placed::ThereAlready),
        // File systems without such a rename: a second name is never given over another either.
        Err(Errno::INVAL | Errno::NOSYS) => match std::fs::hard_link(from, to) {
            Ok(()) => std::fs::remove_file(from).map(|()| Placed::New),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Placed::ThereAlready),
            Err(error) => Err(error),
        },
        Err(error) => Err(error.into()),
    }
}

/// The staged file is gone: it was put in place before, or dropped.
fn finished_before(place: &Place, object: &Path) -> Result<(), StageError> {
    if !object.try_exists().map_err(|error| failed("looking an object up", &error))? {
        return Err(StageError::NotFound);
    }
    check_length(place, object)?;
    // Whoever put it there may not have come to syncing its folder.
    let synced = object.parent().map_or(Ok(()), folders::sync);
    synced.map_err(|error| failed("syncing a folder", &error))
}

/// Two contents of one digest have one length; an object of another one is damaged.
fn check_length(place: &Place, object: &Path) -> Result<(), StageError> {
    let found = object.metadata().map_err(|error| failed("looking an object up", &error))?.len();
    if found == place.offset {
        return Ok(());
    }
    let expected = place.offset;
    Err(StoreError::Corrupt(format!("an object has {found} bytes instead of {expected}")).into())
}
