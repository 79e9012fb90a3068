//! Where things are kept: files, the database, the object store and the cache.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use wharf_blobs::ObjectStoreUrl;
use wharf_cache::{NoRedisUrl, RedisUrl};
use wharf_metadata::{NoPostgresUrl, PostgresUrl};

use super::problem::Refusal;

/// The path of a file or folder; never empty. Relative paths start where Wharf was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl AsRef<Path> for FilePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl FromStr for FilePath {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<FilePath, Refusal> {
        if text.is_empty() || text.contains('\0') {
            return Err(Refusal::Malformed);
        }
        Ok(FilePath(text.into()))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Where metadata is kept.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// In a SQLite file in the data folder.
    DataFolder,
    /// In this SQLite file.
    Sqlite(FilePath),
    /// In a PostgreSQL database.
    Postgres(Box<PostgresUrl>),
}

impl From<NoPostgresUrl> for Refusal {
    fn from(error: NoPostgresUrl) -> Refusal {
        Refusal::Because(error.to_string())
    }
}

impl FromStr for DatabaseUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<DatabaseUrl, Refusal> {
        match split(text) {
            ("", "") => Ok(DatabaseUrl::DataFolder),
            ("sqlite", path) if !path.contains(['?', '#']) => path.parse().map(DatabaseUrl::Sqlite),
            ("postgres" | "postgresql", _) => Ok(DatabaseUrl::Postgres(Box::new(text.parse()?))),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::DataFolder => Ok(()),
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite://{path}"),
            DatabaseUrl::Postgres(url) => url.fmt(f),
        }
    }
}

/// Where blobs are kept.
#[derive(Debug, Clone)]
pub enum BlobsUrl {
    /// As files in the data folder.
    DataFolder,
    /// As files in this folder; the path is absolute.
    Folder(FilePath),
    /// In a bucket.
    Bucket(ObjectStoreUrl),
}

impl FromStr for BlobsUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<BlobsUrl, Refusal> {
        match split(text) {
            ("", "") => Ok(BlobsUrl::DataFolder),
            ("file", path) if path.starts_with('/') && !path.contains(['?', '#']) => {
                path.parse().map(BlobsUrl::Folder)
            }
            ("s3" | "gs" | "az", _) => {
                text.parse().map(BlobsUrl::Bucket).map_err(|_| Refusal::Malformed)
            }
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for BlobsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlobsUrl::DataFolder => Ok(()),
            BlobsUrl::Folder(path) => write!(f, "file://{path}"),
            BlobsUrl::Bucket(url) => url.fmt(f),
        }
    }
}

/// Where another registry left its store, the one that has `docker/registry/v2` in it.
#[derive(Debug, Clone)]
pub enum AdoptedUrl {
    /// A folder; the path is absolute.
    Folder(FilePath),
    /// A bucket, and a prefix in it.
    Bucket(ObjectStoreUrl),
}

impl FromStr for AdoptedUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<AdoptedUrl, Refusal> {
        match text.parse()? {
            BlobsUrl::Folder(path) => Ok(AdoptedUrl::Folder(path)),
            BlobsUrl::Bucket(url) => Ok(AdoptedUrl::Bucket(url)),
            BlobsUrl::DataFolder => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for AdoptedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdoptedUrl::Folder(path) => write!(f, "file://{path}"),
            AdoptedUrl::Bucket(url) => url.fmt(f),
        }
    }
}

/// Where the cache is.
#[derive(Debug, Clone)]
pub enum CacheUrl {
    /// In the memory of this process.
    Memory,
    /// In a Redis that nodes share.
    Redis(Box<RedisUrl>),
}

impl FromStr for CacheUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<CacheUrl, Refusal> {
        match split(text) {
            _ if text == "memory:" => Ok(CacheUrl::Memory),
            ("redis" | "rediss", _) => match text.parse() {
                Ok(url) => Ok(CacheUrl::Redis(Box::new(url))),
                Err(error) => Err(Refusal::Because(NoRedisUrl::to_string(&error))),
            },
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for CacheUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CacheUrl::Memory => f.write_str("memory:"),
            CacheUrl::Redis(url) => url.fmt(f),
        }
    }
}

/// Splits `scheme://rest`; a text that is not so has no scheme.
fn split(text: &str) -> (&str, &str) {
    text.split_once("://").unwrap_or(("", text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal<T: FromStr<Err = Refusal> + fmt::Debug>(text: &str) -> String {
        match text.parse::<T>().unwrap_err() {
            Refusal::Malformed => "malformed".to_owned(),
            Refusal::Because(reason) => reason,
        }
    }

    #[test]
    fn files_are_taken_and_written_back() {
        for text in ["", "sqlite:///srv/w.db", "sqlite://w.db"] {
            assert_eq!(text.parse::<DatabaseUrl>().unwrap().to_string(), text);
        }
        for text in ["", "file:///srv/blobs", "s3://bucket/prefix", "gs://bucket", "az://c/p"] {
            assert_eq!(text.parse::<BlobsUrl>().unwrap().to_string(), text);
        }
        for text in ["file:///srv/registry", "s3://bucket/prefix"] {
            assert_eq!(text.parse::<AdoptedUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_database_server_is_shown_without_its_password() {
        let url: DatabaseUrl = "postgres://u:p@h/db".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://u@h:5432/db");
        assert!(refusal::<DatabaseUrl>("postgres://u:p@h:port/db").contains("port"));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in ["w.db", "sqlite://", "sqlite:///w.db?mode=ro", "mysql://h/db", "://x"] {
            assert_eq!(refusal::<DatabaseUrl>(text), "malformed", "{text:?}");
        }
        for text in ["/srv", "file://srv", "file://", "http://h", "s3://", "s3://b/p?x=1"] {
            assert_eq!(refusal::<BlobsUrl>(text), "malformed", "{text:?}");
            assert_eq!(refusal::<AdoptedUrl>(text), "malformed", "{text:?}");
        }
        assert_eq!(refusal::<AdoptedUrl>(""), "malformed");
        assert!(refusal::<CacheUrl>("redis://u:hidden@h:port").contains("no usable Redis URL"));
        for text in ["", "memory", "memory://"] {
            assert_eq!(refusal::<CacheUrl>(text), "malformed", "{text:?}");
        }
    }
}
