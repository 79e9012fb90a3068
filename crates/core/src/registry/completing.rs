//! The end of a direct upload: assembled, read again and hashed, put in place. It may take longer than a request does.
//!
//! The work goes on when its request was answered "under way" or is gone; whoever asks again waits for the same.
//! A node that dies in it leaves what any other can go on with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use wharf_oci::{Digest, ErrorCode, RepositoryName};

use crate::blobs::StageError;
use crate::direct::{PartNumber, PartPlan, PartTag, ReceivedPart};
use crate::metadata::Upload;
use crate::operation::FinishDirectUpload;
use crate::permissions::Permitted;
use crate::registry::Registry;
use crate::registry::staging::stage_error;
use crate::{Error, Missing, StoreError, UploadId};

/// How often an end looks again at how far another one has come: for 1.5 seconds in all.
const LOOKS: u32 = 5;

/// Another node puts the parts together.
const BUSY: Error = Error::Busy("the parts of this upload are being put together");

/// How the end of a direct upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The repository holds the blob.
    Done,
    /// The content is being verified: ask again.
    UnderWay,
}

/// Whose end it is: nobody waits for what is not his.
type Which = (RepositoryName, UploadId, Digest, String);

/// What comes of it, for all who wait.
type Running = Shared<BoxFuture<'static, Result<(), Error>>>;

/// The ends under way in this process.
#[derive(Clone, Default)]
pub(super) struct Completions(Arc<Mutex<HashMap<Which, Running>>>);

impl Completions {
    fn under_way(&self) -> MutexGuard<'_, HashMap<Which, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is under way, or what `begin` begins now; and whether it was under way.
    fn join(
        &self,
        which: Which,
        begin: impl FnOnce() -> BoxFuture<'static, Result<(), Error>>,
    ) -> (Running, bool) {
        let mut under_way = self.under_way();
        if let Some(running) = under_way.get(&which) {
            return (running.clone(), true);
        }
        let listed = Listed { all: self.clone(), which: which.clone() };
        let work = begin();
        let task = tokio::spawn(async move {
            let _listed = listed;
            work.await
        });
        let died = || StoreError::Unavailable("the end of a direct upload died".into());
        let running = task.map(move |ended| ended.unwrap_or_else(|_| Err(died().into())));
        let running = running.boxed().shared();
        under_way.insert(which, running.clone());
        (running, false)
    }
}

/// One under way, off the list when dropped.
struct Listed {
    all: Completions,
    which: Which,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.all.under_way().remove(&self.which);
    }
}

impl Registry {
    /// Ends a direct upload: makes one object of its parts, verifies it, and makes it the repository's. Waits for
    /// that no longer than `patience`; asked again, it goes on where it is, and asked after it was done, it answers
    /// the same. `kept` is held as long as the work goes on.
    ///
    /// # Errors
    /// [`Missing::Upload`]; `BLOB_UPLOAD_INVALID` or `SIZE_INVALID` when the parts are not those that came, after
    /// which the upload is as it was; `DIGEST_INVALID` when the content is not what the digest names, after which it
    /// is gone.
    pub async fn finish_direct_upload(
        self: &Arc<Self>,
        operation: Permitted<FinishDirectUpload>,
        parts: Vec<(PartNumber, PartTag)>,
        patience: Duration,
        kept: impl Send + 'static,
    ) -> Result<Completion, Error> {
        let FinishDirectUpload { repository, upload, digest } = &*operation;
        let (repository, upload, digest) = (repository.clone(), *upload, *digest);
        let principal = operation.principal().clone();
        let which = (repository.clone(), upload, digest, principal.to_string());
        let registry = Arc::clone(self);
        let (running, joined) = self.completions.join(which, || {
            async move {
                let _kept = kept;
                registry.complete(&operation, &parts).await
            }
            .boxed()
        });
        if joined && let Ok((found, _)) = self.find_direct(&repository, upload, &principal).await {
            // Whoever still asks still wants it.
            self.keep_alive(&repository, &found).await?;
        }
        match tokio::time::timeout(patience, running).await {
            Ok(ended) => ended.map(|()| Completion::Done),
            Err(_) => Ok(Completion::UnderWay),
        }
    }

    async fn complete(
        &self,
        operation: &Permitted<FinishDirectUpload>,
        parts: &[(PartNumber, PartTag)],
    ) -> Result<(), Error> {
        let FinishDirectUpload { repository, upload, digest } = &**operation;
        let _working = self.in_flight.begin(*upload)?;
        let mut look = 0;
        loop {
            let found = self.resume_direct(repository, *upload, operation.principal()).await;
            let (found, plan) = match found {
                Err(Error::NotFound(missing)) => {
                    return self.ended_before(repository, *digest, missing).await;
                }
                found => found?,
            };
            let whole = match found.staged.offset {
                0 => self.assemble(repository, operation, found, plan, parts).await,
                _ => Ok(found),
            };
            let completed = match &whole {
                Ok(whole) => self.put_in_place(repository, whole, *digest).await,
                Err(error) => Err(error.clone()),
            };
            match completed {
                // Another node may be faster: it has taken the parts and not made an object of them yet, or has put
                // that in place. What it did is recorded before what was staged is gone.
                Err(Error::NotFound(_) | Error::Busy(_)) if look < LOOKS => {
                    tokio::time::sleep(Duration::from_millis(50 << look)).await;
                    look += 1;
                }
                Err(Error::NotFound(missing)) => {
                    if let Ok(whole) = whole {
                        // The version that was assembled is neither staged nor in place: nobody can end this.
                        self.drop_upload(&whole).await;
                    }
                    return Err(missing.into());
                }
                other => return other,
            }
        }
    }

    /// Makes one object of the parts and records it. Whoever still has a URL of a part can do nothing with it then.
    async fn assemble(
        &self,
        repository: &RepositoryName,
        operation: &Permitted<FinishDirectUpload>,
        mut upload: Upload,
        plan: PartPlan,
        parts: &[(PartNumber, PartTag)],
    ) -> Result<Upload, Error> {
        let store = &self.direct_store()?.store;
        if store.is_sealed(&upload.staged)
            && let Some(whole) = self.assembled(repository, &upload, plan).await?
        {
            return Ok(whole);
        }
        let matching = match store.received(&upload.id, &upload.staged).await {
            Ok(received) => check_parts(&plan, parts, &received),
            Err(StageError::NotFound) => Err(Missing::Upload(repository.clone(), upload.id).into()),
            Err(error) => return Err(stage_error(error)),
        };
        if let Err(error) = matching {
            // They may only look so while another node makes an object of them.
            let principal = operation.principal();
            let (now, _) = self.find_direct(repository, upload.id, principal).await?;
            return Err(if store.is_sealed(&now.staged) { BUSY } else { error });
        }
        if !store.is_sealed(&upload.staged) {
            let sealed = Upload { staged: store.seal(&upload.staged), ..upload.clone() };
            self.record(repository, &upload, &sealed).await?;
            upload = sealed;
        }
        match store.assemble(&upload.id, &upload.staged, parts).await {
            Ok(()) | Err(StageError::NotFound) => {}
            Err(error) => return Err(stage_error(error)),
        }
        self.assembled(repository, &upload, plan).await?.ok_or(BUSY)
    }

    /// Records what was assembled, if anything was.
    async fn assembled(
        &self,
        repository: &RepositoryName,
        upload: &Upload,
        plan: PartPlan,
    ) -> Result<Option<Upload>, Error> {
        let store = &self.direct_store()?.store;
        let found = store.assembled(&upload.id, &upload.staged).await.map_err(stage_error)?;
        let Some(staged) = found else { return Ok(None) };
        let whole = Upload { staged, ..upload.clone() };
        if whole.staged.offset != plan.size {
            self.drop_upload(&whole).await;
            let found = whole.staged.offset;
            let message = format!("the parts have {found} bytes, not {}", plan.size);
            return Err(Error::invalid(ErrorCode::SizeInvalid, message));
        }
        // Where another node was faster, what it recorded counts.
        self.record(repository, upload, &whole).await?;
        Ok(Some(whole))
    }
}

/// That the client names every part, once and in order, as the store has it, and that each is as long as it must be.
fn check_parts(
    plan: &PartPlan,
    named: &[(PartNumber, PartTag)],
    received: &[ReceivedPart],
) -> Result<(), Error> {
    let invalid = |message: String| Err(Error::invalid(ErrorCode::BlobUploadInvalid, message));
    let count = plan.count();
    if !named.iter().map(|(number, _)| number.get()).eq(1..=count) {
        return invalid(format!("the parts named are not 1 to {count}, each once and in order"));
    }
    let mut rest = received;
    for (number, tag) in named {
        let of_number;
        (of_number, rest) = rest.split_at(rest.partition_point(|part| part.number <= *number));
        if of_number.is_empty() {
            return invalid(format!("part {number} has not come"));
        }
        let Some(found) = of_number.iter().find(|part| part.tag == *tag) else {
            return invalid(format!("part {number} has another etag than the one named"));
        };
        let expected = plan.part(*number).map_or(0, |(_, length)| length);
        if found.size != expected {
            let message = format!("part {number} has {} bytes, not {expected}", found.size);
            return Err(Error::invalid(ErrorCode::SizeInvalid, message));
        }
    }
    Ok(())
}
