//! Uploads that a request is at work on in this process: bounded in number, one request an upload, or one a part.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::direct::PartNumber;
use crate::{Error, UploadId};

/// The uploads at work.
pub(super) struct InFlight {
    places: Arc<Semaphore>,
    at_work: Arc<Mutex<AtWork>>,
}

/// Each upload, with the parts of it that are at work; none where one request has all of it.
type AtWork = HashMap<UploadId, BTreeSet<PartNumber>>;

/// The right to work on an upload, given back when dropped.
pub(super) struct Working {
    _claim: Claim,
    _place: OwnedSemaphorePermit,
}

/// The right to be the only one at an upload or at a part of it, given back when dropped.
pub(super) struct Claim {
    upload: UploadId,
    part: Option<PartNumber>,
    at_work: Arc<Mutex<AtWork>>,
}

impl InFlight {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), at_work: Arc::default() }
    }

    /// Begins to work on an upload. Taken before the upload is read from the metadata, so that no request
    /// appends behind what another has just appended.
    pub(super) fn begin(&self, upload: UploadId) -> Result<Working, Error> {
        let place = self.place()?;
        Ok(Working { _claim: self.claim(upload)?, _place: place })
    }

    /// Begins to work on a part, beside those who work on others.
    pub(super) fn begin_part(
        &self,
        upload: UploadId,
        number: PartNumber,
    ) -> Result<Working, Error> {
        let place = self.place()?;
        let mut at_work = lock(&self.at_work);
        let known = at_work.get(&upload);
        if known.is_some_and(|parts| parts.is_empty() || parts.contains(&number)) {
            return Err(Error::Busy("another request is at work on this upload, or on this part"));
        }
        at_work.entry(upload).or_default().insert(number);
        let claim = Claim { upload, part: Some(number), at_work: Arc::clone(&self.at_work) };
        Ok(Working { _claim: claim, _place: place })
    }

    /// As [`InFlight::begin`] for work that takes no bytes in, and so needs no place.
    pub(super) fn claim(&self, upload: UploadId) -> Result<Claim, Error> {
        let mut at_work = lock(&self.at_work);
        if at_work.contains_key(&upload) {
            return Err(Error::Busy("another request is at work on this upload"));
        }
        at_work.insert(upload, BTreeSet::new());
        Ok(Claim { upload, part: None, at_work: Arc::clone(&self.at_work) })
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Error::Busy("as many uploads are under way as this registry takes at once")
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut at_work = lock(&self.at_work);
        let left = self.part.and_then(|part| {
            let parts = at_work.get_mut(&self.upload)?;
            parts.remove(&part);
            (!parts.is_empty()).then_some(())
        });
        if left.is_none() {
            at_work.remove(&self.upload);
        }
    }
}

fn lock(at_work: &Mutex<AtWork>) -> MutexGuard<'_, AtWork> {
    at_work.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn parts_are_worked_on_beside_each_other_and_not_beside_the_whole() {
        let in_flight = InFlight::new(10);
        let upload = UploadId::random(&SystemRandom);
        let part = |number| in_flight.begin_part(upload, PartNumber::new(number).unwrap());
        let (one, two) = (part(1).unwrap(), part(2).unwrap());
        assert!(part(1).is_err() && in_flight.claim(upload).is_err());
        drop(one);
        assert!(in_flight.begin(upload).is_err());
        let again = part(1).unwrap();
        drop((two, again));
        let whole = in_flight.begin(upload).unwrap();
        assert!(part(1).is_err());
        drop(whole);
        assert!(part(1).is_ok());
        assert!(lock(&in_flight.at_work).is_empty());
    }
}
