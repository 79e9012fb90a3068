//! The keys that are in force: those of a folder, looked for again now and then, so that keys are changed without a
//! restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::keys::{KeyError, KeyRing};

/// The keys of a folder.
pub struct KeyStore {
    folder: PathBuf,
    current: RwLock<Arc<KeyRing>>,
}

impl KeyStore {
    /// Reads the folder.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let ring = KeyRing::read(folder, SystemTime::now())?;
        Ok(Self { folder: folder.to_owned(), current: RwLock::new(Arc::new(ring)) })
    }

    /// The keys now.
    pub fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the folder again. What was there stays in force where it cannot be read.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read_again(&self) -> Result<(), KeyError> {
        let ring = Arc::new(KeyRing::read(&self.folder, SystemTime::now())?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }
}
