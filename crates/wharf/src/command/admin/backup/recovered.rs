//! `wharf admin recovered`: sets a database right that was put back by other means than `wharf admin restore`, such as
//! PostgreSQL's recovery to a point in time.

use std::io::{Write, stdout};

use clap::Args;
use wharf_metadata::backup::{
    PostgresSnapshot, Snapshot, SqliteSnapshot, recovered_on_postgres, recovered_on_sqlite,
};

use super::list::Needed;
use super::missing::Accepting;
use super::store::{Tally, Work};
use crate::command::wiring;
use crate::command::wiring::metadata::Place;
use crate::config::Config;

/// The flags of `wharf admin recovered`.
#[derive(Debug, Args)]
pub struct Recovered {
    #[command(flatten)]
    accepting: Accepting,
}

impl Recovered {
    /// Looks every blob up, and sets the database right. No node may run.
    pub async fn run(&self, config: &Config) -> anyhow::Result<()> {
        // Refused while a process serves from the folder.
        let _folder = wiring::data_folder(config)?;
        let place = wiring::metadata::place(config);
        let tally = look_up(config, &place).await?;
        let missing = self.accepting.missing(&tally);
        let affected = match &place {
            Place::Sqlite(file) => recovered_on_sqlite(file, missing)?,
            Place::Postgres(settings) => recovered_on_postgres(settings, missing).await?,
        };
        self.accepting.tell(&tally, &affected, "nothing was changed")?;
        Ok(writeln!(stdout(), "the database is set right; nodes may start")?)
    }
}

async fn look_up(config: &Config, place: &Place) -> anyhow::Result<Tally> {
    let work = Work::LookUp(wiring::open_blobs(config).await?);
    let snapshot = match place {
        Place::Sqlite(file) => Snapshot::Sqlite(SqliteSnapshot::open(file)?),
        Place::Postgres(settings) => {
            Snapshot::Postgres(Box::new(PostgresSnapshot::begin(settings).await?))
        }
    };
    let (mut tally, mut after) = (Tally::default(), None);
    loop {
        let keys = snapshot.blobs(after).await?;
        let Some(last) = keys.last() else { return Ok(tally) };
        after = Some(last.digest);
        let page = keys.into_iter().map(|key| Needed { key, size: None }).collect();
        tally.take(&work, page).await?;
    }
}
