//! The rows of the database, looked at without Wharf: SQLite's by its library, PostgreSQL's by psql.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use crate::support::program::run;

/// A database.
pub enum Rows {
    Sqlite(PathBuf),
    Postgres(String),
}

/// What each repository holds, and what is on its way in or out.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Found {
    /// `repository digest` of each manifest that is held.
    pub held: BTreeSet<String>,
    /// `repository digest` of each blob.
    pub memberships: BTreeSet<String>,
    /// The digest of each manifest whose bytes are stored.
    pub manifests: BTreeSet<String>,
    /// Everything else that should be no more.
    pub others: BTreeSet<String>,
}

impl Rows {
    pub fn of_sqlite(file: &Path) -> Rows {
        Rows::Sqlite(file.to_owned())
    }

    pub fn of_postgres(url: &str) -> Rows {
        Rows::Postgres(url.to_owned())
    }

    /// All that is there now.
    pub fn find(&self) -> Found {
        let in_repository = |table: &str, digest: &str| {
            format!(
                "SELECT r.name || ' ' || {} FROM {table} t JOIN repositories r ON r.id = t.repository_id",
                self.hex(digest)
            )
        };
        let of = |table: &str, what: &str| {
            format!("SELECT '{table} ' || {} FROM {table}", self.hex(what))
        };
        let others = [
            in_repository("deleted_manifests", "t.digest"),
            of("uploads", "id"),
            of("blob_reservations", "digest"),
            // Keys that were deleted are remembered for a day.
            of("blob_marks", "digest") + " WHERE state <> 'deleted'",
            of("namespace_blobs", "digest") + " WHERE used = 0",
        ];
        Found {
            held: named(self.ask(&in_repository("repository_manifests", "t.digest"))),
            memberships: named(self.ask(&in_repository("repository_blobs", "t.blob_digest"))),
            manifests: named(self.ask(&format!("SELECT {} FROM manifests", self.hex("digest")))),
            others: others.iter().flat_map(|sql| self.ask(sql)).collect(),
        }
    }

    /// How many objects were deleted, of which the keys are still remembered.
    pub fn deleted_keys(&self) -> usize {
        self.ask(&format!("SELECT {} FROM blob_marks WHERE state = 'deleted'", self.hex("digest")))
            .len()
    }

    /// How many blobs were pushed again after that, to another key.
    pub fn incarnations(&self) -> usize {
        self.ask(&format!("SELECT {} FROM blob_incarnations", self.hex("digest"))).len()
    }

    /// How many tags policies have dropped.
    pub fn dropped_tags(&self) -> usize {
        self.ask("SELECT name FROM tag_history WHERE reason = 'retention'").len()
    }

    /// Limits of which the parts are not the whole, or of which a part is smaller than what is used of it.
    pub fn wrong_parts(&self) -> Vec<String> {
        let meters = [
            ("bytes", "max_bytes"),
            ("total", "max_bytes"),
            ("manifests", "max_manifests"),
            ("tags", "max_tags"),
        ];
        let wrong = |(used, limit): (&str, &str)| {
            self.ask(&format!(
                "SELECT s.namespace || ' ' || s.repository_id || ': {used}, {limit} ' || s.{limit}
                 FROM usage_scopes s JOIN usage_shards h ON h.scope = s.id WHERE s.{limit} IS NOT NULL
                 GROUP BY s.id, s.namespace, s.repository_id, s.{limit}
                 HAVING sum(h.{used}_allowed) <> s.{limit}
                     OR max(CASE WHEN h.{used} > h.{used}_allowed THEN 1 ELSE 0 END) = 1"
            ))
        };
        meters.into_iter().flat_map(wrong).collect()
    }

    /// Has the leases of all jobs run out, also of those that somebody is at work on: as when a node was so slow.
    pub fn end_leases(&self) {
        self.change("UPDATE jobs SET due_at = 0 WHERE leased = 1");
    }

    /// What the database knows of a blob's way out.
    pub fn marks(&self, digest: &str) -> Vec<String> {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.ask(&format!(
            "SELECT state || ' ' || incarnation || ' ' || marked_at FROM blob_marks WHERE {} LIKE '%{hex}'",
            self.hex("digest")
        ))
    }

    fn hex(&self, column: &str) -> String {
        match self {
            Rows::Sqlite(_) => format!("lower(hex({column}))"),
            Rows::Postgres(_) => format!("encode({column}, 'hex')"),
        }
    }

    /// The only column of each row.
    fn ask(&self, sql: &str) -> Vec<String> {
        match self {
            Rows::Sqlite(file) => {
                let connection = open(file);
                let mut statement = connection.prepare(sql).unwrap();
                let rows = statement.query_map([], |row| row.get(0)).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Rows::Postgres(url) => run(&mut psql(url, sql)).lines().map(str::to_owned).collect(),
        }
    }

    fn change(&self, sql: &str) {
        match self {
            Rows::Sqlite(file) => drop(open(file).execute(sql, []).unwrap()),
            Rows::Postgres(url) => drop(run(&mut psql(url, sql))),
        }
    }
}

fn open(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection
}

fn psql(url: &str, sql: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--tuples-only", "-A", "-q", "-c", sql, url]);
    command
}

/// The digests at the ends, as they are written elsewhere: the first byte here says the algorithm.
fn named(rows: Vec<String>) -> BTreeSet<String> {
    let name = |row: String| match row.rsplit_once(' ') {
        Some((repository, hex)) => format!("{repository} sha256:{}", &hex[2..]),
        None => format!("sha256:{}", &row[2..]),
    };
    rows.into_iter().map(name).collect()
}
