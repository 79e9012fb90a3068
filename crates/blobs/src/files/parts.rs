//! Parts of a direct upload: written where they belong in the upload's file, in any order, beside each other.
//!
//! ```text
//! <folder>/staging/<upload>         the blob to be, as long as it will be, with holes where no part has come
//! <folder>/staging/<upload>.parts   16 bytes a part: what it is called, or zeros while it has not come
//! ```
//!
//! A part is called something only after its bytes are on the disk. Assembling removes the second file, under a lock
//! that whoever writes a part shares: from then on nobody finds a place to write to, and the first file is what any
//! other upload has staged.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use wharf_core::blobs::{Chunks, StageError, Staged};
use wharf_core::clock::{Random, SystemRandom};
use wharf_core::direct::{PartNumber, PartPlan, PartTag, ReceivedPart};
use wharf_core::{StoreError, UploadId};

use super::blocking::{Abandoned, Abandonment, blocking};
use super::folders;
use super::layout::Layout;
use super::staging::failed;

/// The first byte of the stored form. What an upload of the standard protocol has there is empty.
const VERSION: u8 = 2;

/// The size of a part in bytes, but where that makes too many.
const PART_SIZE: u64 = 8 << 20;

/// How many bytes are gathered before they are written.
const PIECE: usize = 1 << 20;

/// How many bytes the name of a part has.
const TAG: usize = 16;

pub(super) fn staged(size: u64) -> Staged {
    let plan = PartPlan::new(size, PART_SIZE);
    let mut parts = vec![VERSION];
    parts.put_u64(plan.size);
    parts.put_u64(plan.part_size);
    parts.put_u8(0);
    Staged { offset: 0, parts }
}

pub(super) fn seal(staged: &Staged) -> Staged {
    let mut sealed = staged.clone();
    if let Some(mark) = sealed.parts.last_mut() {
        *mark = 1;
    }
    sealed
}

pub(super) fn is_sealed(staged: &Staged) -> bool {
    plan(staged).is_some() && staged.parts.last() == Some(&1)
}

pub(super) fn plan(staged: &Staged) -> Option<PartPlan> {
    let bytes = &mut staged.parts.as_slice();
    (bytes.try_get_u8().ok()? == VERSION).then_some(())?;
    let (size, part_size) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    (size > 0 && part_size > 0).then_some(PartPlan { size, part_size })
}

/// The two files of a direct upload.
#[derive(Clone)]
pub(super) struct PartsFiles {
    layout: Arc<Layout>,
    upload: UploadId,
    plan: PartPlan,
}

impl PartsFiles {
    /// [`StageError::NotFound`] where it is no direct upload.
    pub(super) fn of(
        layout: &Arc<Layout>,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Self, StageError> {
        let plan = plan(staged).ok_or(StageError::NotFound)?;
        Ok(Self { layout: Arc::clone(layout), upload: *upload, plan })
    }

    /// Makes both files.
    pub(super) fn make(&self) -> Result<(), StageError> {
        let make = |path: PathBuf, length: u64| {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.set_len(length)?;
            file.sync_all()
        };
        let made = make(self.content(), self.plan.size)
            .and_then(|()| make(self.names(), u64::from(self.plan.count()) * TAG as u64))
            .and_then(|()| folders::sync(self.layout.staging()));
        made.map_err(|error| {
            let _ = std::fs::remove_file(self.content());
            let _ = std::fs::remove_file(self.names());
            failed("making room for an upload", &error)
        })
    }

    pub(super) fn received(&self) -> Result<Vec<ReceivedPart>, StageError> {
        let names = match std::fs::read(self.names()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StageError::NotFound);
            }
            other => other.map_err(|error| failed("looking at parts", &error))?,
        };
        let parts = names.chunks(TAG).zip(1..).filter_map(|(name, number)| {
            let number = PartNumber::new(number)?;
            let (_, size) = self.plan.part(number)?;
            let tag = tag(name.try_into().ok()?)?;
            Some(ReceivedPart { number, size, tag })
        });
        Ok(parts.collect())
    }

    /// See [`wharf_core::direct::NodeParts`].
    pub(super) async fn put(
        self,
        number: PartNumber,
        mut chunks: Chunks<'_>,
    ) -> Result<Option<PartTag>, StageError> {
        let abandonment = Abandonment::new();
        let abandoned = abandonment.watch();
        let mut part = blocking(move || Part::open(self, number, abandoned)).await?;
        let mut piece = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            piece.extend_from_slice(&chunk);
            if piece.len() >= PIECE {
                let full = piece.split().freeze();
                part = blocking(move || part.write(full)).await?;
            }
        }
        let rest = piece.freeze();
        blocking(move || part.write(rest)?.finish()).await
    }

    /// Whether the parts were put together.
    pub(super) fn are_assembled(&self) -> Result<bool, StageError> {
        let looking = |error: io::Error| failed("looking at an upload", &error);
        if self.names().try_exists().map_err(looking)? {
            return Ok(false);
        }
        match self.content().metadata() {
            Ok(found) => Ok(found.len() == self.plan.size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(looking(error)),
        }
    }

    /// Makes one upload of the parts, which must all be there.
    pub(super) fn assemble(&self, named: &[(PartNumber, PartTag)]) -> Result<(), StageError> {
        let names = self.open_names()?.ok_or(StageError::NotFound)?;
        names.lock().map_err(|error| failed("locking an upload's parts", &error))?;
        let received = self.received()?;
        let matches = received.iter().map(|part| (part.number, &part.tag));
        if received.len() as u64 != u64::from(self.plan.count())
            || !matches.eq(named.iter().map(|(number, tag)| (*number, tag)))
        {
            return Err(StageError::NotFound);
        }
        let removed = folders::remove(&self.names(), self.layout.staging());
        removed.map_err(|error| failed("putting parts together", &error))
    }

    fn open_names(&self) -> Result<Option<File>, StageError> {
        match OpenOptions::new().read(true).write(true).open(self.names()) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("opening an upload's parts", &error)),
        }
    }

    fn content(&self) -> PathBuf {
        self.layout.staged(&self.upload)
    }

    fn names(&self) -> PathBuf {
        self.layout.parts(&self.upload)
    }
}

/// A part being written.
struct Part {
    content: File,
    names: File,
    number: PartNumber,
    /// Where its next byte goes, and how many are still to come.
    position: u64,
    left: u64,
    /// Whether more came than it has room for.
    too_long: bool,
    abandoned: Abandoned,
}

impl Part {
    fn open(
        files: PartsFiles,
        number: PartNumber,
        abandoned: Abandoned,
    ) -> Result<Self, StageError> {
        let (position, left) = files.plan.part(number).ok_or(StageError::NotFound)?;
        let names = files.open_names()?.ok_or(StageError::NotFound)?;
        let opening = |error: io::Error| failed("opening an upload", &error);
        names.lock_shared().map_err(opening)?;
        // Whoever had the lock may have put the parts together, or dropped them.
        if !files.names().try_exists().map_err(opening)? {
            return Err(StageError::NotFound);
        }
        let content = OpenOptions::new().write(true).open(files.content()).map_err(opening)?;
        let part = Self { content, names, number, position, left, too_long: false, abandoned };
        part.forget_name().map_err(|error| failed("writing a part", &error))?;
        Ok(part)
    }

    /// What was called something is about to be other bytes.
    fn forget_name(&self) -> io::Result<()> {
        let mut name = [0; TAG];
        self.names.read_exact_at(&mut name, self.place())?;
        if name == [0; TAG] {
            return Ok(());
        }
        self.names.write_all_at(&[0; TAG], self.place())?;
        self.names.sync_data()
    }

    fn write(mut self, piece: Bytes) -> Result<Self, StageError> {
        if self.abandoned.is() {
            return Err(StoreError::Unavailable("the request is gone".into()).into());
        }
        let fits = piece.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.too_long |= fits < piece.len();
        let written = self.content.write_all_at(&piece[..fits], self.position);
        written.map_err(|error| failed("writing a part", &error))?;
        self.position += fits as u64;
        self.left -= fits as u64;
        Ok(self)
    }

    fn finish(self) -> Result<Option<PartTag>, StageError> {
        if self.left > 0 || self.too_long {
            return Ok(None);
        }
        let mut name = [0; TAG];
        SystemRandom.fill(&mut name);
        name[0] |= 1;
        let named = self
            .content
            .sync_data()
            .and_then(|()| self.names.write_all_at(&name, self.place()))
            .and_then(|()| self.names.sync_data());
        named.map_err(|error| failed("syncing a part", &error))?;
        Ok(tag(name))
    }

    fn place(&self) -> u64 {
        u64::from(self.number.get() - 1) * TAG as u64
    }
}

/// What a part is called, unless it is not.
fn tag(name: [u8; TAG]) -> Option<PartTag> {
    let value = u128::from_be_bytes(name);
    (value != 0).then(|| format!("{value:032x}").parse().ok())?
}
