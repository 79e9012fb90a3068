//! Direct uploads: begun, asked for, their parts addressed and, where they go through a node, taken in.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use wharf_oci::{Digest, ErrorCode, HashState, RepositoryName};

use crate::blobs::StageError;
use crate::delivery::SignedUrl;
use crate::direct::{DirectStore, PartCarrier, PartNumber, PartPlan, PartTag, ReceivedPart};
use crate::intake::{Source, SourceError};
use crate::metadata::Upload;
use crate::operation::{
    AddressParts, CancelDirectUpload, GetDirectUpload, PutPart, StartDirectUpload,
};
use crate::permissions::{Permitted, Principal};
use crate::registry::Registry;
use crate::registry::staging::{bounded, stage_error};
use crate::{Error, Missing, UploadId};

/// A direct upload, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectState {
    /// Its name.
    pub id: UploadId,
    /// How the blob is cut.
    pub plan: PartPlan,
    /// How long it may go without progress.
    pub lifetime: Duration,
}

/// What became of the wish for a direct upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedDirect {
    /// The repository holds the blob: there is nothing to send.
    Held(Digest),
    /// The parts can come.
    Upload(DirectState),
}

/// Where a part goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartAddress {
    /// To the store, by a URL that allows just that.
    Url(SignedUrl),
    /// To a node, as [`PutPart`].
    Node,
}

/// A part and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// Which part.
    pub number: PartNumber,
    /// Its size in bytes, exactly.
    pub size: u64,
    /// Where it goes.
    pub address: PartAddress,
}

impl Registry {
    /// Whether clients may send blobs into the store themselves.
    pub const fn offers_direct_uploads(&self) -> bool {
        self.parts.direct.is_some()
    }

    /// Begins a direct upload of `size` bytes, unless the repository holds `digest`.
    ///
    /// # Errors
    /// `SIZE_INVALID` for no bytes, [`Error::TooLarge`], [`Error::Unsupported`] where they are not offered.
    pub async fn start_direct_upload(
        &self,
        operation: &Permitted<StartDirectUpload>,
        size: u64,
        digest: Option<Digest>,
    ) -> Result<StartedDirect, Error> {
        let store = &self.direct_store()?.store;
        let StartDirectUpload { repository } = &**operation;
        let limit = self.rules.max_blob_size;
        if size > limit {
            return Err(Error::TooLarge { what: "the blob", limit });
        }
        if size == 0 {
            let message = "a direct upload has at least one byte; the standard upload takes none";
            return Err(Error::invalid(ErrorCode::SizeInvalid, message));
        }
        if let Some(digest) = digest
            && self.keep(repository, digest).await?
        {
            return Ok(StartedDirect::Held(digest));
        }
        let id = UploadId::random(&*self.parts.random);
        let staged = store.begin(&id, size).await.map_err(stage_error)?;
        let plan = store.plan(&staged).ok_or_else(|| Missing::Upload(repository.clone(), id))?;
        let principal = operation.principal().to_string();
        let upload = Upload { id, principal, staged, hash: not_hashed(), is_limited: false };
        self.record_start(repository, upload, Some(size)).await?;
        let lifetime = self.rules.upload_lifetime;
        Ok(StartedDirect::Upload(DirectState { id, plan, lifetime }))
    }

    /// How a direct upload is cut, and which parts have come; none any more once they were assembled.
    ///
    /// # Errors
    /// [`Missing::Upload`].
    pub async fn get_direct_upload(
        &self,
        operation: &Permitted<GetDirectUpload>,
    ) -> Result<(DirectState, Vec<ReceivedPart>), Error> {
        let GetDirectUpload { repository, upload } = &**operation;
        let (found, plan) = self.find_direct(repository, *upload, operation.principal()).await?;
        let store = &self.direct_store()?.store;
        let received = match found.staged.offset {
            0 => store.received(upload, &found.staged).await,
            _ => Ok(Vec::new()),
        };
        let received = match received {
            Err(StageError::NotFound) => Vec::new(),
            other => other.map_err(stage_error)?,
        };
        let lifetime = self.rules.upload_lifetime;
        Ok((DirectState { id: *upload, plan, lifetime }, received))
    }

    /// Where parts go. Counts as progress.
    ///
    /// # Errors
    /// [`Missing::Upload`]; `BLOB_UPLOAD_INVALID` for a part that there is not.
    pub async fn address_parts(
        &self,
        operation: &Permitted<AddressParts>,
        numbers: &[PartNumber],
        life: Duration,
    ) -> Result<Vec<Addressed>, Error> {
        let AddressParts { repository, upload } = &**operation;
        let (found, plan) = self.resume_direct(repository, *upload, operation.principal()).await?;
        let sealed = self.direct_store()?.store.is_sealed(&found.staged);
        let sizes: Vec<u64> = numbers
            .iter()
            .map(|number| Ok(part_of(&plan, &found, sealed, *number)?.1))
            .collect::<Result<_, Error>>()?;
        self.keep_alive(repository, &found).await?;
        let carrier = &self.direct_store()?.carrier;
        let mut addressed = Vec::with_capacity(numbers.len());
        for (number, size) in numbers.iter().copied().zip(sizes) {
            let address = match carrier {
                PartCarrier::Node(_) => PartAddress::Node,
                PartCarrier::Client(store) => {
                    let signed = store.sign_part(upload, &found.staged, number, life).await;
                    PartAddress::Url(signed.map_err(stage_error)?)
                }
            };
            addressed.push(Addressed { number, size, address });
        }
        Ok(addressed)
    }

    /// Takes a part in, in place of one that has come before. Counts as progress.
    ///
    /// # Errors
    /// [`Missing::Upload`]; `SIZE_INVALID` when it is not announced with exactly its length, after which it has not
    /// come; [`Error::Unsupported`] where parts go to the store.
    pub async fn put_part(
        &self,
        operation: &Permitted<PutPart>,
        number: PartNumber,
        announced: Option<u64>,
        source: Source<'_>,
    ) -> Result<PartTag, Error> {
        let PutPart { repository, upload } = &**operation;
        let DirectStore { store: uploads, carrier } = self.direct_store()?;
        let PartCarrier::Node(store) = carrier else {
            return Err(Error::Unsupported("parts go to the store here, by the URLs asked for"));
        };
        let _working = self.in_flight.begin_part(*upload, number)?;
        let (found, plan) = self.resume_direct(repository, *upload, operation.principal()).await?;
        let (_, size) = part_of(&plan, &found, uploads.is_sealed(&found.staged), number)?;
        let wrong_size = || {
            let message = format!("part {number} of this upload has exactly {size} bytes");
            Error::invalid(ErrorCode::SizeInvalid, message)
        };
        if announced != Some(size) {
            return Err(wrong_size());
        }
        let mut fault = None;
        let pieces = until_fault(bounded(source, size, size), &mut fault);
        let put = store.put_part(upload, &found.staged, number, Box::pin(pieces)).await;
        let tag = match (put, fault) {
            (Err(StageError::NotFound), _) => {
                return Err(Missing::Upload(repository.clone(), *upload).into());
            }
            (Err(error), _) => return Err(stage_error(error)),
            (Ok(_), Some(SourceError::TooLong { .. })) | (Ok(None), None) => {
                return Err(wrong_size());
            }
            (Ok(None), Some(fault)) => return Err(fault.into()),
            (Ok(Some(tag)), _) => tag,
        };
        self.keep_alive(repository, &found).await?;
        Ok(tag)
    }

    /// Ends a direct upload without a blob. URLs of its parts are worth nothing any more.
    ///
    /// # Errors
    /// [`Missing::Upload`].
    pub async fn cancel_direct_upload(
        &self,
        operation: &Permitted<CancelDirectUpload>,
    ) -> Result<(), Error> {
        let CancelDirectUpload { repository, upload } = &**operation;
        let _working = self.in_flight.claim(*upload)?;
        let (found, _) = self.find_direct(repository, *upload, operation.principal()).await?;
        self.end(&found).await
    }

    pub(super) fn direct_store(&self) -> Result<&DirectStore, Error> {
        let not_offered = "direct uploads are not offered by this registry";
        self.parts.direct.as_ref().ok_or(Error::Unsupported(not_offered))
    }

    /// How an upload is cut; `None` where it is a standard one.
    pub(super) fn plan_of(&self, upload: &Upload) -> Option<PartPlan> {
        self.parts.direct.as_ref()?.store.plan(&upload.staged)
    }

    /// A direct upload. One of the standard protocol is not known here.
    pub(super) async fn find_direct(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<(Upload, PartPlan), Error> {
        self.direct_store()?;
        self.planned(repository, self.find_any(repository, id, principal).await?)
    }

    /// The same, to go on with it.
    pub(super) async fn resume_direct(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<(Upload, PartPlan), Error> {
        self.direct_store()?;
        self.planned(repository, self.resume_any(repository, id, principal).await?)
    }

    fn planned(
        &self,
        repository: &RepositoryName,
        found: Upload,
    ) -> Result<(Upload, PartPlan), Error> {
        let plan = self.plan_of(&found);
        let plan = plan.ok_or_else(|| Missing::Upload(repository.clone(), found.id))?;
        Ok((found, plan))
    }

    /// Records that somebody goes on with an upload.
    pub(super) async fn keep_alive(
        &self,
        repository: &RepositoryName,
        upload: &Upload,
    ) -> Result<(), Error> {
        let lifetime = self.rules.upload_lifetime;
        if self.parts.metadata.touch_upload(upload.id, lifetime).await? {
            return Ok(());
        }
        Err(Missing::Upload(repository.clone(), upload.id).into())
    }
}

/// What stands for the hash of a direct upload until its content was read: no state of any hash, so that nobody takes
/// the content for hashed, a node without direct uploads included.
pub(super) const fn not_hashed() -> HashState {
    HashState::from_bytes(Vec::new())
}

fn part_of(
    plan: &PartPlan,
    upload: &Upload,
    sealed: bool,
    number: PartNumber,
) -> Result<(u64, u64), Error> {
    let invalid = |message: String| Error::invalid(ErrorCode::BlobUploadInvalid, message);
    if upload.staged.offset > 0 || sealed {
        return Err(invalid("the parts of this upload were put together: it takes no more".into()));
    }
    let count = plan.count();
    plan.part(number)
        .ok_or_else(|| invalid(format!("this upload has no part {number}: there are {count}")))
}

/// The bytes until the first fault, which is noted.
fn until_fault<'a>(
    source: Source<'a>,
    fault: &'a mut Option<SourceError>,
) -> impl futures_util::Stream<Item = bytes::Bytes> + Send + 'a {
    stream::unfold((source, fault), |(mut source, fault)| async move {
        match source.next().await? {
            Ok(bytes) => Some((bytes, (source, fault))),
            Err(error) => {
                *fault = Some(error);
                None
            }
        }
    })
}
