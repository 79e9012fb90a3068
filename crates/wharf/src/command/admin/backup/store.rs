//! The blobs on a list and a store: looked up, read again, or copied, many at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::task::JoinSet;
use wharf_blobs::{Copied, FileBlobs, copy_object, hash_object};
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, ObjectKey};
use wharf_oci::Digest;

use super::list::Needed;

/// How many blobs are asked for at once.
const AT_ONCE: usize = 32;

/// What is done with each blob.
#[derive(Clone)]
pub enum Work {
    /// It is looked up.
    LookUp(Arc<dyn Blobs>),
    /// It is read and hashed.
    Rehash(Arc<dyn Blobs>),
    /// It is copied, unless it is there.
    Copy { from: Arc<dyn Blobs>, to: Arc<dyn Blobs> },
}

/// What came of all of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many bytes the blobs have that are there.
    pub bytes: u64,
    /// How many were copied, and not there before.
    pub copied: u64,
    /// Those that are not there, or are not what they should be.
    pub missing: BTreeSet<Digest>,
    /// What is wrong with those, each in a line, as far as [`MOST_TOLD`].
    pub told: Vec<String>,
}

/// How many missing blobs are told one by one; all of them count.
const MOST_TOLD: usize = 1000;

/// Opens a folder of copies that was written before.
pub fn copies(folder: &Path) -> anyhow::Result<Arc<dyn Blobs>> {
    let shown = folder.display();
    anyhow::ensure!(
        FileBlobs::objects_folder(folder).is_dir(),
        "the folder {shown} holds no copies of blobs (--blobs): `wharf admin backup --blobs {shown}` writes them"
    );
    self::folder(folder)
}

/// Opens a folder of blobs, laid out as a store of files is, made where it is missing.
pub fn folder(folder: &Path) -> anyhow::Result<Arc<dyn Blobs>> {
    let opened = FileBlobs::open(folder);
    let opened = opened.with_context(|| format!("the folder {} cannot be used", folder.display()));
    Ok(Arc::new(opened?))
}

impl Tally {
    /// Does the work for each of a page, and returns the page with the sizes that were found, in its order.
    pub async fn take(
        &mut self,
        work: &Work,
        page: Vec<Needed>,
    ) -> Result<Vec<Needed>, StoreError> {
        let mut running = JoinSet::new();
        let mut sizes = vec![None; page.len()];
        let mut waiting = page.iter().copied().enumerate();
        loop {
            while running.len() < AT_ONCE
                && let Some((index, needed)) = waiting.next()
            {
                let work = work.clone();
                running.spawn(async move { (index, done(&work, needed).await) });
            }
            let Some(ended) = running.join_next().await else { break };
            let died = |error| StoreError::Unavailable(format!("a look-up died: {error}"));
            let (index, found) = ended.map_err(died)?;
            match found? {
                Ok((size, copied)) => {
                    self.bytes += size;
                    self.copied += u64::from(copied);
                    sizes[index] = Some(size);
                }
                Err(wrong) => {
                    self.missing.insert(page[index].key.digest);
                    if self.told.len() < MOST_TOLD {
                        self.told.push(wrong);
                    }
                }
            }
        }
        let found = page.iter().zip(sizes);
        Ok(found.map(|(needed, size)| Needed { key: needed.key, size }).collect())
    }
}

/// The blob's size, and whether it was copied; or what is wrong with it.
async fn done(
    work: &Work,
    Needed { key, size }: Needed,
) -> Result<Result<(u64, bool), String>, StoreError> {
    let (found, copied) = match work {
        Work::LookUp(store) => (store.head(&key).await?, false),
        Work::Rehash(store) => {
            let found = store.head(&key).await?;
            let digest = hash_object(&**store, &key).await?;
            if digest.is_some_and(|digest| digest != key.digest) {
                return Ok(Err(damaged(&key, digest)));
            }
            (found, false)
        }
        Work::Copy { from, to } => match copy_object(&**from, &**to, &key).await? {
            Copied::Now(size) => (Some(size), true),
            Copied::Before(size) => (Some(size), false),
            // It may be in the store all the same, as it is where that was not lost.
            Copied::Missing => (to.head(&key).await?, false),
            Copied::Damaged(digest) => return Ok(Err(damaged(&key, Some(digest)))),
        },
    };
    let Some(found) = found else {
        return Ok(Err(format!("{} is not there ({key})", key.digest)));
    };
    match size {
        Some(size) if size != found => {
            Ok(Err(format!("{} has {found} bytes, not {size} ({key})", key.digest)))
        }
        _ => Ok(Ok((found, copied))),
    }
}

fn damaged(key: &ObjectKey, found: Option<Digest>) -> String {
    let found = found.map(|digest| digest.to_string()).unwrap_or_default();
    format!("{} is damaged: what is stored is {found} ({key})", key.digest)
}
