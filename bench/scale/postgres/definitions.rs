//! Keys and indexes of the tables that are loaded: read from the catalog, taken off, put back as they were.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use crate::progress::Progress;

/// The tables that are loaded, the largest indexes first: what sorting needs on the disk is gone again by then.
const TABLES: [&str; 8] = [
    "blob_references",
    "manifests",
    "repository_blobs",
    "repository_manifests",
    "tags",
    "tag_history",
    "events",
    "repositories",
];

/// Keys and indexes, in the order in which they are made. Checks stay, and watch what is loaded.
#[derive(PartialEq, Eq)]
pub struct Definitions {
    keys: Vec<Definition>,
    indexes: Vec<Definition>,
    foreign_keys: Vec<Definition>,
}

/// One of them. All names are quoted.
#[derive(PartialEq, Eq)]
struct Definition {
    table: String,
    name: String,
    text: String,
}

impl Definitions {
    /// Those of the catalog. What belongs to a partition comes and goes with what belongs to its table.
    pub async fn read(client: &Client) -> Result<Self> {
        let constraints = "
            SELECT t.oid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid)
            FROM pg_constraint c
            JOIN pg_class t ON t.oid = c.conrelid
            LEFT JOIN unnest($2::text[]) WITH ORDINALITY o (name, place) ON o.name = t.relname
            WHERE t.relnamespace = 'public'::regnamespace AND c.conparentid = 0
              AND c.contype::text = ANY ($1) AND (o.name IS NOT NULL OR c.contype = 'f')
            ORDER BY o.place, c.conname";
        let indexes = "
            SELECT t.oid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
            FROM pg_index i
            JOIN pg_class t ON t.oid = i.indrelid
            JOIN pg_class x ON x.oid = i.indexrelid
            JOIN unnest($1::text[]) WITH ORDINALITY o (name, place) ON o.name = t.relname
            WHERE t.relnamespace = 'public'::regnamespace AND NOT x.relispartition
              AND NOT EXISTS (SELECT FROM pg_constraint c
                              WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
            ORDER BY o.place, x.relname";
        let tables = TABLES.as_slice();
        let keys = client.query(constraints, &[&["p", "u"].as_slice(), &tables]).await?;
        let foreign_keys = client.query(constraints, &[&["f"].as_slice(), &tables]).await?;
        let indexes = client.query(indexes, &[&tables]).await?;
        Ok(Self { keys: all(&keys), indexes: all(&indexes), foreign_keys: all(&foreign_keys) })
    }

    /// Takes them off.
    pub async fn take_off(&self, client: &Client) -> Result<()> {
        for Definition { name, .. } in &self.indexes {
            run(client, &format!("DROP INDEX {name}")).await?;
        }
        for Definition { table, name, .. } in self.foreign_keys.iter().chain(&self.keys) {
            run(client, &format!("ALTER TABLE {table} DROP CONSTRAINT {name}")).await?;
        }
        Ok(())
    }

    /// Puts them back. Foreign keys look at all rows, so that what was loaded fits together.
    pub async fn put_back(&self, client: &Client) -> Result<()> {
        run(client, "SET maintenance_work_mem = '1GB'").await?;
        for Definition { table, name, text } in &self.keys {
            Progress::tell(&format!("key {name}"));
            run(client, &format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}")).await?;
        }
        for Definition { name, text, .. } in &self.indexes {
            Progress::tell(&format!("index {name}"));
            // Of a partitioned table the catalog tells of an index without the partitions' own.
            run(client, &text.replacen(" ON ONLY ", " ON ", 1)).await?;
        }
        for Definition { table, name, text } in &self.foreign_keys {
            Progress::tell(&format!("foreign key {name}"));
            run(client, &format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}")).await?;
        }
        Ok(())
    }
}

fn all(rows: &[tokio_postgres::Row]) -> Vec<Definition> {
    let definition = |row: &tokio_postgres::Row| Definition {
        table: row.get(0),
        name: row.get(1),
        text: row.get(2),
    };
    rows.iter().map(definition).collect()
}

async fn run(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.with_context(|| sql.to_owned())
}
