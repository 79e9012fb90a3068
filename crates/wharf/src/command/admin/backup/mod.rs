//! `wharf admin backup`: a snapshot of the metadata with the list of the blobs that it needs, and the blobs too where
//! they are to be copied, while nodes work.

mod document;
mod list;
mod missing;
mod recovered;
mod restore;
mod store;
mod verify;

use std::fs::{self, DirBuilder};
use std::io::{Write, stderr, stdout};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use wharf_metadata::backup::{PostgresSnapshot, Snapshot, SqliteSnapshot};

use crate::command::wiring;
use crate::command::wiring::metadata::Place;
use crate::config::Config;
use document::{Document, Engine};
use list::{Needed, Writer};
pub use recovered::Recovered;
pub use restore::Restore;
use store::{Tally, Work};
pub use verify::VerifyBackup;

/// The flags of `wharf admin backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// Write into this folder, which is made, or empty
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Copy the blobs into this folder too: those that are not there yet
    #[arg(long, value_name = "FOLDER")]
    blobs: Option<PathBuf>,
    /// Do not ask the store for the blobs: their sizes are not known then, nor whether they are there
    #[arg(long, conflicts_with = "blobs")]
    no_check: bool,
}

impl Backup {
    /// Makes the backup.
    pub async fn run(&self, config: &Config) -> anyhow::Result<()> {
        make_folder(&self.to)?;
        let store = match self.no_check {
            true => None,
            false => Some(wiring::open_blobs(config).await?),
        };
        let work = match (store, &self.blobs) {
            (None, _) => None,
            (Some(store), None) => Some(Work::LookUp(store)),
            (Some(from), Some(to)) => Some(Work::Copy { from, to: store::folder(to)? }),
        };
        let taken_at = Timestamp::now().to_string();
        let (engine, snapshot) = take(config, &self.to).await?;
        let mut document = Document::new(engine, taken_at, snapshot.contents().await?);
        let tally = list(&snapshot, work.as_ref(), &self.to).await?;
        drop(snapshot);
        if let Some(tally) = &tally {
            document.blob_bytes = Some(tally.bytes);
            document.blobs_missing = Some(tally.missing.len() as u64);
        }
        let document = document.write(&self.to)?;
        let Document { repositories, manifests, tags, blobs, .. } = document;
        let to = self.to.display();
        writeln!(
            stdout(),
            "{to}: {repositories} repositories, {manifests} manifests, {tags} tags, {blobs} blobs"
        )?;
        tally.map_or(Ok(()), |tally| tell(&tally, self.blobs.as_deref()))
    }
}

/// Tells what came of the blobs. That some are missing is an error, though the backup is written.
fn tell(tally: &Tally, copies: Option<&Path>) -> anyhow::Result<()> {
    if let Some(folder) = copies {
        let (copied, bytes) = (tally.copied, tally.bytes);
        let folder = folder.display();
        writeln!(stdout(), "{folder}: {copied} blobs were copied; all have {bytes} bytes")?;
    }
    for wrong in &tally.told {
        writeln!(stderr(), "{wrong}")?;
    }
    match tally.missing.len() {
        0 => Ok(()),
        missing => {
            bail!("the backup is whole, but {missing} blobs that it needs are not in the store")
        }
    }
}

/// Makes the folder for its owner alone, or takes it as it is where it is empty.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("the folder {shown} cannot be made"))?;
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("the folder {shown} cannot be read"))?;
    if entries.next().is_some() {
        bail!("the folder {shown} is not empty: each backup has a folder of its own");
    }
    Ok(())
}

/// Takes the snapshot, and writes its metadata into the folder.
async fn take(config: &Config, folder: &Path) -> anyhow::Result<(Engine, Snapshot)> {
    let engine = engine(config);
    let file = folder.join(engine.file());
    // Made for its owner alone: what fills it keeps its mode.
    document::private(&file).with_context(|| format!("making {}", file.display()))?;
    let snapshot = match wiring::metadata::place(config) {
        Place::Sqlite(from) => Snapshot::Sqlite(SqliteSnapshot::take(&from, &file)?),
        Place::Postgres(settings) => {
            let snapshot = PostgresSnapshot::begin(&settings).await?;
            snapshot.dump(&file)?;
            Snapshot::Postgres(Box::new(snapshot))
        }
    };
    Ok((engine, snapshot))
}

fn engine(config: &Config) -> Engine {
    match wiring::metadata::place(config) {
        Place::Sqlite(_) => Engine::Sqlite,
        Place::Postgres(_) => Engine::Postgres,
    }
}

/// Writes the list, and has the work done for each blob on it.
async fn list(
    snapshot: &Snapshot,
    work: Option<&Work>,
    folder: &Path,
) -> anyhow::Result<Option<Tally>> {
    let mut writer = Writer::create(folder)?;
    let mut tally = work.map(|_| Tally::default());
    let mut after = None;
    loop {
        let keys = snapshot.blobs(after).await?;
        let Some(last) = keys.last() else { break };
        after = Some(last.digest);
        let mut page: Vec<Needed> =
            keys.into_iter().map(|key| Needed { key, size: None }).collect();
        if let (Some(work), Some(tally)) = (work, &mut tally) {
            page = tally.take(work, page).await?;
        }
        for needed in page {
            writer.write(needed)?;
        }
    }
    writer.finish()?;
    Ok(tally)
}
