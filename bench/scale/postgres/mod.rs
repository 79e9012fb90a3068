//! Loads a PostgreSQL database: all tables side by side by binary COPY, without indexes and foreign keys, which are
//! put back as they were.

mod copy;
mod definitions;

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;
use wharf_bench::postgres::{connect, url_of};

use crate::progress::Progress;
use crate::rows::{Rows, repository_id};
use copy::Copies;
use definitions::Definitions;

/// A database of this run. It stays until it is dropped by [`Database::drop`].
pub struct Database {
    server: String,
    /// Its name, which no other run has.
    name: String,
}

impl Database {
    /// Makes an empty one on the server at `server`.
    pub async fn create(server: &str, manifests: u64) -> Result<Self> {
        let name = format!("wharf_scale_{}_{manifests}", std::process::id());
        let client = connect(server).await?;
        // Texts are ordered by their own collation; the template with no additions takes any.
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        client.batch_execute(&sql).await.context("making a database")?;
        Ok(Self { server: server.to_owned(), name })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        url_of(&self.server, &self.name)
    }

    /// Connects to it.
    pub async fn connect(&self) -> Result<Client> {
        connect(&self.url()).await
    }

    /// Fills the tables that `wharf migrate` has made, and returns the size of the database in bytes.
    pub async fn load(&self, rows: &Rows) -> Result<u64> {
        let client = self.connect().await?;
        let taken = Definitions::read(&client).await?;
        taken.take_off(&client).await?;
        Copies::run(self, rows).await?;
        let last = repository_id(rows.shape.repositories() - 1);
        let sql = "SELECT setval(pg_get_serial_sequence('repositories', 'id'), $1)";
        client.query_one(sql, &[&last]).await?;
        taken.put_back(&client).await?;
        let now = Definitions::read(&client).await?;
        ensure!(now == taken, "the keys and indexes are not what they were before loading");
        Progress::tell("VACUUM ANALYZE");
        client.batch_execute("VACUUM ANALYZE").await?;
        client.batch_execute("CHECKPOINT").await?;
        let size = client.query_one("SELECT pg_database_size(current_database())", &[]).await?;
        Ok(u64::try_from(size.get::<_, i64>(0))?)
    }

    /// The version of the server.
    pub async fn version(server: &str) -> Result<String> {
        let client = connect(server).await?;
        Ok(client.query_one("SHOW server_version", &[]).await?.get(0))
    }

    /// Removes it with all that is in it.
    pub async fn drop(self) -> Result<()> {
        let client = connect(&self.server).await?;
        client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        Ok(())
    }
}
