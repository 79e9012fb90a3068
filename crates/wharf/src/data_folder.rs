//! The data folder: made or recognised, and held by one process at a time.
//!
//! Two files are its own: `lock`, locked while a process uses the folder and holding its id, and
//! `format`, the version of how everything in the folder is laid out. A folder that has no
//! `format` is taken only when it is empty, so that a wrong path fills nobody's folder.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The newest layout that this program understands, and the one that it makes.
const FORMAT: u32 = 1;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
/// Where `format` is written before it takes its name.
const NEW_FORMAT_FILE: &str = "format.new";
/// What `mkfs` puts into the top of a file system, which is often mounted as the data folder.
const LOST_AND_FOUND: &str = "lost+found";

/// A data folder that this process holds until the value is dropped or the process ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Holds the lock: the kernel lets go of it when the file is closed, however that comes.
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, making it (mode 0700) where it is missing.
    ///
    /// Refuses a folder that another process uses, that holds something else, or whose format is
    /// newer than this program.
    pub fn open(path: &Path) -> anyhow::Result<DataFolder> {
        let shown = path.display();
        make(path).with_context(|| format!("the data folder {shown} cannot be made"))?;
        // Before the lock is made in it: a folder of somebody else's stays as it is.
        refuse_foreign(path)?;
        let lock = lock(path)?;
        match read_format(path)? {
            Some(FORMAT) => {}
            Some(newer @ FORMAT..) => bail!(
                "{shown} has format {newer}, this wharf understands up to {FORMAT}; \
                 use a newer wharf"
            ),
            Some(older) => bail!("{shown} has format {older}, which no wharf ever made"),
            None => {
                // Again, now that nobody else can be making it.
                refuse_foreign(path)?;
                write_format(path)
                    .with_context(|| format!("the data folder {shown} cannot be written"))?;
            }
        }
        Ok(DataFolder { path: path.to_owned(), _lock: lock })
    }

    /// Where the folder is, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder and what is missing above it, and sees that its name is on the disk.
fn make(path: &Path) -> std::io::Result<()> {
    let named = |folder: &&Path| !folder.as_os_str().is_empty();
    let missing: Vec<_> = path.ancestors().filter(named).take_while(|it| !it.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for folder in missing {
        let above = folder.parent().filter(named).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// Refuses a folder that has entries and no `format`.
fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if path.join(FORMAT_FILE).exists() {
        return Ok(());
    }
    let entries = fs::read_dir(path);
    for entry in entries.with_context(|| format!("the data folder {shown} cannot be read"))? {
        let name = entry.with_context(|| format!("the data folder {shown} cannot be read"))?;
        let name = name.file_name();
        let ours = [LOCK_FILE, NEW_FORMAT_FILE, FORMAT_FILE, LOST_AND_FOUND];
        // `format` may have come since, by another process that is making the folder.
        if !ours.iter().any(|known| name == *known) && !path.join(FORMAT_FILE).exists() {
            bail!(
                "{shown} holds {name:?} and is not a wharf data folder; \
                 name an empty folder or one that does not exist yet"
            );
        }
    }
    Ok(())
}

/// Takes the lock and writes this process's id into it, for the message of the next one.
fn lock(path: &Path) -> anyhow::Result<File> {
    let shown = path.display();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join(LOCK_FILE))
        .with_context(|| format!("the data folder {shown} cannot be written"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("{}", in_use(path, &mut file)),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| {
                format!("the data folder {shown} is on a file system that cannot lock files")
            });
        }
    }
    let write_id = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write_id(&mut file).with_context(|| format!("the data folder {shown} cannot be written"))?;
    Ok(file)
}

/// The message that another process holds the folder, with its id if it has written it already.
fn in_use(path: &Path, lock: &mut File) -> String {
    let mut id = String::new();
    // Only for the message: whatever cannot be read is left out.
    let _ = lock.take(20).read_to_string(&mut id);
    let process = id.trim().parse().map(|id: u32| format!(" (pid {id})")).unwrap_or_default();
    format!("the data folder {} is in use by another wharf process{process}", path.display())
}

/// The version in `format`; none where there is no such file.
fn read_format(path: &Path) -> anyhow::Result<Option<u32>> {
    let path = path.join(FORMAT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    let version = text.trim().parse();
    version.map(Some).with_context(|| {
        format!("{} holds {:?} and not the number of a format", path.display(), text.trim())
    })
}

/// Writes `format` so that it is either whole or missing, whatever happens in between.
fn write_format(path: &Path) -> std::io::Result<()> {
    let new = path.join(NEW_FORMAT_FILE);
    let mut file = File::create(&new)?;
    writeln!(file, "{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&new, path.join(FORMAT_FILE))?;
    File::open(path)?.sync_all()
}
