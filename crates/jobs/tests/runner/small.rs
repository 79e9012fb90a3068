//! A registry of nothing more than it needs: SQLite in a folder, and objects in memory.

use std::sync::Arc;

use tempfile::TempDir;
use wharf_blobs::{FaultyBlobs, MemoryBlobs};
use wharf_cache::MemoryCache;
use wharf_core::clock::Clock;
use wharf_core::permissions::Everyone;
use wharf_core::{Parts, Registry, Rules};
use wharf_metadata::{Database, Sqlite};

pub struct Small {
    pub registry: Arc<Registry>,
    pub database: Arc<Database<Sqlite>>,
    pub blobs: Arc<MemoryBlobs>,
    /// The registry's way to them, which fails as it is told.
    pub faults: Arc<FaultyBlobs<MemoryBlobs>>,
    /// What goes with it.
    pub folder: TempDir,
}

impl Small {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let folder = TempDir::new().unwrap();
        let sqlite = Sqlite::open(&folder.path().join("metadata.db"), clock).unwrap();
        let database = Arc::new(Database::on_sqlite(sqlite));
        let blobs = Arc::new(MemoryBlobs::new());
        let faults = Arc::new(FaultyBlobs::over(blobs.clone()));
        let parts = Parts::new(
            database.clone(),
            faults.clone(),
            Arc::new(MemoryCache::new(1 << 20)),
            Arc::new(Everyone),
        );
        let registry = Arc::new(Registry::new(parts, Rules::default()));
        Self { registry, database, blobs, faults, folder }
    }
}
