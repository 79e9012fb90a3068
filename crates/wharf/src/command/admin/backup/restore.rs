//! `wharf admin restore`: a backup into an empty system, verified: every blob that the metadata need is looked up.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use wharf_metadata::backup::{
    Contents, PostgresRestore, PostgresSnapshot, Snapshot, SqliteRestore, SqliteSnapshot,
};

use super::document::Document;
use super::engine;
use super::list::Reader;
use super::missing::Accepting;
use super::store::{self, Tally, Work};
use crate::command::wiring;
use crate::command::wiring::metadata::Place;
use crate::config::Config;

/// How many blobs are read from the list at once.
const PAGE: usize = 5000;

/// The flags of `wharf admin restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The folder of the backup
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Copy the blobs from this folder into the store first, those that are not there
    #[arg(long, value_name = "FOLDER")]
    blobs: Option<PathBuf>,
    #[command(flatten)]
    accepting: Accepting,
}

impl Restore {
    /// Restores all of it or nothing. No node may run.
    pub async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let document = Document::read(&self.from)?;
        document.require(engine(config))?;
        // Refused while a process serves from the folder.
        let _folder = wiring::data_folder(config)?;
        let metadata = self.from.join(document.engine.file());
        let place = wiring::metadata::place(config);
        // First, so that nothing is copied in vain.
        match &place {
            Place::Sqlite(file) => SqliteRestore { copy: &metadata, file }.require_empty()?,
            Place::Postgres(settings) => {
                let dump = metadata.as_path();
                PostgresRestore { dump, schema: document.schema, settings }.require_empty().await?;
            }
        }
        let tally = self.blobs(config).await?;
        let missing = self.accepting.missing(&tally);
        let affected = match &place {
            Place::Sqlite(file) => SqliteRestore { copy: &metadata, file }.run(missing)?,
            Place::Postgres(settings) => {
                let dump = metadata.as_path();
                PostgresRestore { dump, schema: document.schema, settings }.run(missing)?
            }
        };
        self.accepting.tell(&tally, &affected, "nothing was restored")?;
        let found = restored(&place).await?;
        compare(&document, &found, tally.missing.len() as u64)?;
        let Contents { repositories, manifests, tags, blobs, .. } = found;
        writeln!(
            stdout(),
            "restored as of {}: {repositories} repositories, {manifests} manifests, {tags} tags, {blobs} blobs; nodes may start",
            document.taken_at
        )?;
        Ok(())
    }

    /// Looks every blob up in the store, after copying those that are to be copied.
    async fn blobs(&self, config: &Config) -> anyhow::Result<Tally> {
        let to = wiring::open_blobs(config).await?;
        let work = match &self.blobs {
            None => Work::LookUp(to),
            Some(folder) => Work::Copy { from: store::copies(folder)?, to },
        };
        let mut tally = Tally::default();
        let mut list = Reader::open(&self.from)?;
        loop {
            let page = list.page(PAGE)?;
            if page.is_empty() {
                return Ok(tally);
            }
            tally.take(&work, page).await?;
        }
    }
}

/// What is in the database now.
async fn restored(place: &Place) -> anyhow::Result<Contents> {
    let snapshot = match place {
        Place::Sqlite(file) => Snapshot::Sqlite(SqliteSnapshot::open(file)?),
        Place::Postgres(settings) => {
            Snapshot::Postgres(Box::new(PostgresSnapshot::begin(settings).await?))
        }
    };
    Ok(snapshot.contents().await?)
}

/// That it is what the backup says it is.
fn compare(document: &Document, found: &Contents, missing: u64) -> anyhow::Result<()> {
    let expected = [
        ("repositories", document.repositories, found.repositories),
        ("manifests", document.manifests, found.manifests),
        ("tags", document.tags, found.tags),
        ("blobs", document.blobs.saturating_sub(missing), found.blobs),
    ];
    for (what, expected, found) in expected {
        if expected != found {
            bail!("the database has {found} {what} after the restore, and should have {expected}");
        }
    }
    Ok(())
}
