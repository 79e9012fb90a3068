//! `backup.json`, which says what a backup holds. It is written last: a folder without it is no backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use wharf_metadata::backup::Contents;
use wharf_oci::{Algorithm, Hasher};

/// The name of the file.
const NAME: &str = "backup.json";

/// The version of what is in the folder.
const FORMAT: u32 = 1;

/// The list of blobs.
pub const BLOBS: &str = "blobs.tsv";

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The file that has the metadata.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Sqlite => "metadata.sqlite",
            Self::Postgres => "metadata.dump",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A file of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Checked {
    /// In bytes.
    size: u64,
    /// `sha256:…`
    digest: String,
}

/// What is in the backup. Times are RFC 3339, sizes bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    format: u32,
    /// The version of the program that made it.
    pub wharf: String,
    /// What was acknowledged before this moment is in it.
    pub taken_at: String,
    /// Of which engine the metadata are.
    pub engine: Engine,
    /// The version of their schema.
    pub schema: i64,
    pub repositories: u64,
    pub manifests: u64,
    pub tags: u64,
    /// How many blobs are on the list.
    pub blobs: u64,
    /// The sum of their sizes; none where the store was not asked.
    pub blob_bytes: Option<u64>,
    /// How many of them were not in the store; none where it was not asked.
    pub blobs_missing: Option<u64>,
    /// The numbers of the last event and of the last record of the audit log.
    pub last_event: u64,
    pub last_audit: u64,
    /// Where PostgreSQL's log stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal: Option<String>,
    files: BTreeMap<String, Checked>,
}

impl Document {
    /// What a backup holds, but for its files and what is known of the blobs.
    pub fn new(engine: Engine, taken_at: String, contents: Contents) -> Self {
        let Contents { schema, repositories, manifests, tags, blobs, last_event, last_audit, wal } =
            contents;
        Self {
            format: FORMAT,
            wharf: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at,
            engine,
            schema,
            repositories,
            manifests,
            tags,
            blobs,
            blob_bytes: None,
            blobs_missing: None,
            last_event,
            last_audit,
            wal,
            files: BTreeMap::new(),
        }
    }

    /// Syncs the files of the backup, notes their checksums, and writes the document.
    pub fn write(mut self, folder: &Path) -> anyhow::Result<Self> {
        for name in [self.engine.file(), BLOBS] {
            let path = folder.join(name);
            let checked = check(&path).with_context(|| format!("reading {}", path.display()))?;
            self.files.insert(name.to_owned(), checked);
        }
        let path = folder.join(NAME);
        let write = || -> std::io::Result<()> {
            let mut file = private(&path)?;
            file.write_all(serde_json::to_string_pretty(&self)?.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            File::open(folder)?.sync_all()
        };
        write().with_context(|| format!("writing {}", path.display()))?;
        Ok(self)
    }

    /// Reads the document of a backup, and checks that its files are those that were written.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let shown = path.display();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} is no whole backup: {shown}", folder.display()))?;
        /// What every format has.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } =
            serde_json::from_str(&text).with_context(|| format!("{shown} cannot be read"))?;
        if format != FORMAT {
            bail!("{shown} has format {format}, this wharf understands {FORMAT}");
        }
        let document: Self =
            serde_json::from_str(&text).with_context(|| format!("{shown} cannot be read"))?;
        for name in [document.engine.file(), BLOBS] {
            let path = folder.join(name);
            let shown = path.display();
            let found = check(&path).with_context(|| format!("{shown} cannot be read"))?;
            match document.files.get(name) {
                Some(expected) if *expected == found => {}
                Some(expected) => bail!(
                    "{shown} is damaged: it has {} bytes of {}, and was written with {} of {}",
                    found.size,
                    found.digest,
                    expected.size,
                    expected.digest
                ),
                None => bail!("{} does not name {name}", folder.join(NAME).display()),
            }
        }
        Ok(document)
    }

    /// Fails where the metadata are of another engine than the settings name.
    pub fn require(&self, engine: Engine) -> anyhow::Result<()> {
        if self.engine == engine {
            return Ok(());
        }
        bail!(
            "the backup is of {}, and the settings name {} (database.url)",
            self.engine.name(),
            engine.name()
        )
    }
}

/// A new file that only its owner reads: the metadata have hashes of passwords in them.
pub fn private(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// The size and digest of a file, which is synced.
fn check(path: &Path) -> std::io::Result<Checked> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Checked { size, digest: hasher.finish().to_string() }),
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}
