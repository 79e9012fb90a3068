//! Uploads that a request is at work on in this process: bounded in number, one request an upload.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, UploadId};

/// The uploads at work.
pub(super) struct InFlight {
    places: Arc<Semaphore>,
    at_work: Arc<Mutex<HashSet<UploadId>>>,
}

/// The right to work on an upload, given back when dropped.
pub(super) struct Working {
    _claim: Claim,
    _place: OwnedSemaphorePermit,
}

/// The right to be the only one at an upload, given back when dropped.
pub(super) struct Claim {
    upload: UploadId,
    at_work: Arc<Mutex<HashSet<UploadId>>>,
}

impl InFlight {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), at_work: Arc::default() }
    }

    /// Begins to work on an upload. Taken before the upload is read from the metadata, so that no request
    /// appends behind what another has just appended.
    pub(super) fn begin(&self, upload: UploadId) -> Result<Working, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Error::Busy("as many uploads are under way as this registry takes at once")
        })?;
        Ok(Working { _claim: self.claim(upload)?, _place: place })
    }

    /// As [`InFlight::begin`] for work that takes no bytes in, and so needs no place.
    pub(super) fn claim(&self, upload: UploadId) -> Result<Claim, Error> {
        if !self.at_work.lock().unwrap_or_else(PoisonError::into_inner).insert(upload) {
            return Err(Error::Busy("another request is at work on this upload"));
        }
        Ok(Claim { upload, at_work: Arc::clone(&self.at_work) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.upload);
    }
}
