//! Garbage collection: marks, memberships, manifests. What is decided about a blob is decided by `wharf_core::blob_life`; here its facts are
//! loaded and its answers written.

pub(crate) mod blobs;
pub(crate) mod explaining;
pub(crate) mod manifests;
pub(crate) mod marks;
pub(crate) mod page;
pub(crate) mod planning;
pub(crate) mod purging;
mod signatures;
pub(crate) mod sweep;
pub(crate) mod trash;
pub(crate) mod unneeded;
pub(crate) mod upcoming;

use async_trait::async_trait;
use wharf_core::metadata::GarbageCounts;
use wharf_oci::{Digest, RepositoryName};

use crate::engine::{Json, Plans, Result, Statements, Transaction, arguments};

/// No repository's number: whether anything may be collected at all, is asked by it. Repositories that are read-only are passed over.
pub(crate) const EVERYWHERE: i64 = 0;

/// A list of rows as one argument: an array of `[number, digest in hexadecimal]`.
pub(crate) fn pairs(rows: impl Iterator<Item = (i64, Digest)>) -> Json {
    array(rows, |text, (number, digest)| {
        text.push('[');
        text.push_str(&number.to_string());
        text.push(',');
        quote(text, &digest);
        text.push(']');
    })
}

/// Digests as one argument: an array of texts in hexadecimal. PostgreSQL looks up each of them by itself, by `LATERAL` and `OFFSET 0`: where it
/// takes a repository for a few rows, as by what it knew of it once, it would read all of it instead.
pub(crate) fn list_of<'a>(digests: impl Iterator<Item = &'a Digest>) -> Json {
    array(digests, quote)
}

/// An array of JSON. It is written by hand, since a collection of millions makes several of each.
fn array<T>(items: impl Iterator<Item = T>, write: impl Fn(&mut String, T)) -> Json {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        write(&mut text, item);
    }
    text.push(']');
    Json(text)
}

/// The binary form of a digest as a text in hexadecimal, as a database reads it.
fn quote(text: &mut String, digest: &Digest) {
    text.push('"');
    for byte in digest.to_binary() {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text.push('"');
}

/// `Garbage::collected_repositories`
pub(crate) struct Repositories {
    pub(crate) after: Option<RepositoryName>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Repositories {
    type Output = Vec<RepositoryName>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let after = self.after.as_ref().map(RepositoryName::as_str).unwrap_or_default();
        let sql =
            "SELECT name FROM repositories WHERE name > $1 AND name < '~' ORDER BY name LIMIT $2";
        let rows = on.query(sql, arguments![after, self.limit]).await?;
        rows.iter().map(|row| row.parsed(0)).collect()
    }
}

/// `Garbage::count_garbage`
pub(crate) struct Count {
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Count {
    type Output = GarbageCounts;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<GarbageCounts> {
        let rows = on
            .query(
                "SELECT (SELECT count(*) FROM (SELECT 1 FROM deleted_manifests
                         ORDER BY deleted_at LIMIT $1) t),
                        (SELECT count(*) FROM (SELECT 1 FROM repository_blobs WHERE needed = 0
                         ORDER BY repository_id, blob_digest LIMIT $1) t),
                        (SELECT count(*) FROM (SELECT 1 FROM blob_marks WHERE state = 'marked'
                         ORDER BY marked_at LIMIT $1) t),
                        (SELECT count(*) FROM (SELECT 1 FROM blob_marks WHERE state = 'condemned'
                         ORDER BY marked_at LIMIT $1) t),
                        (SELECT count(*) FROM (SELECT 1 FROM blob_marks WHERE state = 'deleted'
                         ORDER BY marked_at LIMIT $1) t),
                        (SELECT count(*) FROM (SELECT 1 FROM deleted_repositories
                         WHERE state <> 'purged' ORDER BY deleted_at LIMIT $1) t),
                        (SELECT count(*) FROM (SELECT 1 FROM uploads
                         ORDER BY expires_at LIMIT $1) t)",
                arguments![self.limit],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(GarbageCounts::default()) };
        Ok(GarbageCounts {
            deleted_manifests: row.size(0)?,
            unneeded_memberships: row.size(1)?,
            marked: row.size(2)?,
            condemned: row.size(3)?,
            deleted: row.size(4)?,
            deleted_repositories: row.size(5)?,
            uploads: row.size(6)?,
        })
    }
}
