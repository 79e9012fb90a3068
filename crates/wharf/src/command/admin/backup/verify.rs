//! `wharf admin verify-backup`: that a backup is whole, and that every blob on its list is there.

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::document::Document;
use super::list::Reader;
use super::store::{self, Tally, Work};
use crate::command::wiring;
use crate::config::Config;

/// How many blobs are read from the list at once.
const PAGE: usize = 5000;

/// The flags of `wharf admin verify-backup`.
#[derive(Debug, Args)]
pub struct VerifyBackup {
    /// The folder of the backup
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Look for the blobs in this folder, instead of the store that the settings name
    #[arg(long, value_name = "FOLDER")]
    blobs: Option<PathBuf>,
    /// Read and hash every blob, instead of asking for its size
    #[arg(long)]
    rehash: bool,
}

impl VerifyBackup {
    /// Verifies, and fails where anything is wrong.
    pub async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let document = Document::read(&self.from)?;
        let store = match &self.blobs {
            Some(folder) => store::copies(folder)?,
            None => wiring::open_blobs(config).await?,
        };
        let work = if self.rehash { Work::Rehash(store) } else { Work::LookUp(store) };
        let mut tally = Tally::default();
        let mut list = Reader::open(&self.from)?;
        let mut count = 0;
        loop {
            let page = list.page(PAGE)?;
            if page.is_empty() {
                break;
            }
            count += page.len() as u64;
            tally.take(&work, page).await?;
        }
        if count != document.blobs {
            bail!("the list has {count} blobs, and the backup was made with {}", document.blobs);
        }
        for wrong in &tally.told {
            writeln!(stderr(), "{wrong}")?;
        }
        let from = self.from.display();
        match tally.missing.len() {
            0 => Ok(writeln!(
                stdout(),
                "{from}, taken at {}: the metadata are whole, and all {count} blobs are there",
                document.taken_at
            )?),
            missing => bail!("{from}: {missing} of {count} blobs are missing or damaged"),
        }
    }
}
