//! Direct uploads into S3: a multipart upload whose parts the client sends by itself, each to a signed URL.
//!
//! A URL is for one part of one multipart upload under a random key, with its exact length among what is signed.
//! Completing the multipart upload makes all of them worthless. What it made is known by its entity tag from then
//! on: reading and copying ask for just that version.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BufMut};
use http::Method;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{Error, ObjectStoreExt};
use wharf_core::blobs::{StageError, Staged};
use wharf_core::delivery::SignedUrl;
use wharf_core::direct::{
    DirectStore, DirectUploads, PartCarrier, PartNumber, PartPlan, PartTag, ReceivedPart,
    SignedParts,
};
use wharf_core::{StoreError, UploadId};

use super::failure::{stage_error, store_error, unless_missing};
use super::part_url::with_length;
use super::progress::{get_text, put_text};
use super::signed::{Request, element};
use super::{ObjectBlobs, S3};

/// The first byte of the stored form: another one than that of the standard protocol.
const VERSION: u8 = 2;

/// How many pages of parts are read, of a thousand each.
const MOST_PAGES: usize = 12;

/// A direct upload: where its parts are and, once they were put together, which version of the object they became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Direct {
    plan: PartPlan,
    /// The store's name of the multipart upload.
    multipart: String,
    /// The name of the object that the parts become.
    content: u128,
    /// Whether the parts are about to become the object.
    sealed: bool,
    /// The size and the entity tag of the object; `None` while it is parts.
    assembled: Option<(u64, String)>,
}

impl Direct {
    /// `None` where `staged` is not what [`Direct::staged`] made.
    pub(super) fn of(staged: &Staged) -> Option<Self> {
        let bytes = &mut staged.parts.as_slice();
        (bytes.try_get_u8().ok()? == VERSION).then_some(())?;
        let plan =
            PartPlan { size: bytes.try_get_u64().ok()?, part_size: bytes.try_get_u64().ok()? };
        let content = bytes.try_get_u128().ok()?;
        let sealed = bytes.try_get_u8().ok()? == 1;
        let multipart = get_text(bytes)?;
        let tag = get_text(bytes)?;
        let assembled = (!tag.is_empty()).then_some((staged.offset, tag));
        let consistent = assembled.is_some() == (staged.offset > 0) && plan.part_size > 0;
        consistent.then_some(Self { plan, multipart, content, sealed, assembled })
    }

    fn staged(&self) -> Staged {
        let mut parts = vec![VERSION];
        parts.put_u64(self.plan.size);
        parts.put_u64(self.plan.part_size);
        parts.put_u128(self.content);
        parts.put_u8(self.sealed.into());
        put_text(&mut parts, &self.multipart);
        let (offset, tag) = self.assembled.clone().unwrap_or_default();
        put_text(&mut parts, &tag);
        Staged { offset, parts }
    }
}

impl ObjectBlobs {
    /// The object that the parts became, and the tag of the version that counts.
    pub(super) fn version(
        &self,
        upload: &UploadId,
        direct: &Direct,
    ) -> Result<(Path, String), StageError> {
        let (_, tag) = direct.assembled.clone().ok_or(StageError::NotFound)?;
        Ok((self.content_path(upload, direct.content), tag))
    }

    /// Drops the parts, or what they became.
    pub(super) async fn drop_direct(
        &self,
        upload: &UploadId,
        direct: &Direct,
    ) -> Result<(), StoreError> {
        let path = self.content_path(upload, direct.content);
        if direct.assembled.is_none() {
            let aborting = self.service.abort_multipart(&path, &direct.multipart);
            if let Err(error) = self.within("dropping parts", aborting).await? {
                let fault = stage_error("dropping parts", &error);
                // Unknown: completed by a request that did not come to record it, or dropped before.
                if let StageError::Store(fault) = fault {
                    return Err(fault);
                }
            }
        }
        let deleted = self.within("deleting staged bytes", self.service.delete(&path)).await?;
        unless_missing("deleting staged bytes", deleted)
    }

    /// The store for direct uploads, where it is S3: Azure and Google have no such parts, or none whose length is
    /// signed.
    pub fn direct_uploads(self: &Arc<Self>) -> Option<DirectStore> {
        self.s3.as_ref()?;
        let carrier = PartCarrier::Client(Arc::clone(self) as _);
        Some(DirectStore { store: Arc::clone(self) as _, carrier })
    }

    fn direct(&self, staged: &Staged) -> Result<(&S3, Direct), StageError> {
        let s3 = self.s3.as_ref().ok_or(StageError::NotFound)?;
        Ok((s3, Direct::of(staged).ok_or(StageError::NotFound)?))
    }

    /// The parts of a multipart upload.
    pub(super) async fn list_parts(
        &self,
        s3: &S3,
        path: &Path,
        multipart: &str,
    ) -> Result<Vec<ReceivedPart>, StageError> {
        let doing = "listing parts";
        let mut parts: Vec<ReceivedPart> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut query = vec![("uploadId", multipart.to_owned())];
            let marker = parts.last().map(|part| part.number);
            query.extend(marker.map(|number| ("part-number-marker", number.to_string())));
            let request = self.about_parts(doing, Method::GET, path, query, String::new());
            let page = s3.ask(request, "<ListPartsResult").await?.document(doing)?;
            let found = page.split("<Part>").skip(1).filter_map(|part| {
                Some(ReceivedPart {
                    number: element(part, "PartNumber")?.parse().ok()?,
                    size: element(part, "Size")?.parse().ok()?,
                    tag: element(part, "ETag")?.parse().ok()?,
                })
            });
            // In order, whatever the store says.
            parts.extend(found.filter(|part| marker.is_none_or(|marker| part.number > marker)));
            parts.sort_by_key(|part| part.number);
            let more = element(&page, "IsTruncated").as_deref() == Some("true");
            if !more || parts.last().map(|part| part.number) == marker {
                return Ok(parts);
            }
        }
        let text = format!("the object store: {doing}: more than there can be");
        Err(StoreError::Unavailable(text).into())
    }

    /// A request about the parts of an upload.
    fn about_parts<'a>(
        &self,
        doing: &'a str,
        method: Method,
        path: &'a Path,
        query: Vec<(&'a str, String)>,
        body: String,
    ) -> Request<'a> {
        let limit =
            if method == Method::GET { self.limits.request } else { self.limits.long_request };
        Request { doing, method, path, query, headers: Vec::new(), body, limit }
    }
}

#[async_trait]
impl DirectUploads for ObjectBlobs {
    async fn begin(&self, upload: &UploadId, size: u64) -> Result<Staged, StageError> {
        let doing = "beginning a direct upload";
        let s3 = self.s3.as_ref().ok_or(StageError::NotFound)?;
        let plan = PartPlan::new(size, self.limits.part_size);
        let content = self.new_name();
        let path = self.content_path(upload, content);
        // Not the library's: it would ask for a checksum of each part, which clients need not know.
        let query = vec![("uploads", String::new())];
        let request = self.about_parts(doing, Method::POST, &path, query, String::new());
        let document = s3.ask(request, "<UploadId>").await?.document(doing)?;
        let multipart = element(&document, "UploadId").filter(|id| !id.is_empty());
        let multipart = multipart.ok_or_else(|| {
            StoreError::Unavailable(format!("the object store: {doing}: no name of the upload"))
        })?;
        let direct = Direct { plan, multipart, content, sealed: false, assembled: None };
        Ok(direct.staged())
    }

    fn plan(&self, staged: &Staged) -> Option<PartPlan> {
        Direct::of(staged).map(|direct| direct.plan)
    }

    fn seal(&self, staged: &Staged) -> Staged {
        let sealed = Direct::of(staged).map(|direct| Direct { sealed: true, ..direct }.staged());
        sealed.unwrap_or_else(|| staged.clone())
    }

    fn is_sealed(&self, staged: &Staged) -> bool {
        Direct::of(staged).is_some_and(|direct| direct.sealed)
    }

    async fn received(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Vec<ReceivedPart>, StageError> {
        let (s3, direct) = self.direct(staged)?;
        let path = self.content_path(upload, direct.content);
        self.list_parts(s3, &path, &direct.multipart).await
    }

    async fn assemble(
        &self,
        upload: &UploadId,
        staged: &Staged,
        parts: &[(PartNumber, PartTag)],
    ) -> Result<(), StageError> {
        let doing = "completing a direct upload";
        let (s3, direct) = self.direct(staged)?;
        let path = self.content_path(upload, direct.content);
        let part = |(number, tag): &(PartNumber, PartTag)| {
            let tag = tag.as_str();
            format!("<Part><ETag>&quot;{tag}&quot;</ETag><PartNumber>{number}</PartNumber></Part>")
        };
        let parts: String = parts.iter().map(part).collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let query = vec![("uploadId", direct.multipart.clone())];
        let request = self.about_parts(doing, Method::POST, &path, query, body);
        s3.ask(request, "<CompleteMultipartUploadResult").await?.document(doing).map(drop)
    }

    async fn assembled(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Option<Staged>, StageError> {
        let doing = "looking for what a direct upload became";
        let Some(direct) = Direct::of(staged) else { return Ok(None) };
        let path = self.content_path(upload, direct.content);
        let found = match self.within(doing, self.service.head(&path)).await? {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(|error| store_error(doing, &error))?,
        };
        let tag = found.e_tag.filter(|tag| !tag.is_empty() && found.size > 0);
        let tag = tag.ok_or_else(|| {
            StoreError::Unavailable(format!("the object store: {doing}: {path} has no ETag"))
        })?;
        Ok(Some(Direct { assembled: Some((found.size, tag)), ..direct }.staged()))
    }
}

#[async_trait]
impl SignedParts for ObjectBlobs {
    async fn sign_part(
        &self,
        upload: &UploadId,
        staged: &Staged,
        number: PartNumber,
        life: Duration,
    ) -> Result<SignedUrl, StageError> {
        let doing = "signing a part's URL";
        let (s3, direct) = self.direct(staged)?;
        let (_, length) = direct.plan.part(number).ok_or(StageError::NotFound)?;
        let path = self.content_path(upload, direct.content);
        let options = SignedUrlOptions::new()
            .with_query([("partNumber", number.to_string()), ("uploadId", direct.multipart)]);
        let signing = async {
            let url = s3.store.signed_url_opts(Method::PUT, &path, life, &options).await?;
            Ok((url, s3.store.credentials().get_credential().await?))
        };
        let signed = self.within(doing, signing).await?;
        let (url, credential) = signed.map_err(|error| store_error(doing, &error))?;
        let url = with_length(&url, &Method::PUT, length, &credential).ok_or_else(|| {
            let reason = "the credentials were renewed meanwhile";
            StoreError::Unavailable(format!("the object store: {doing}: {reason}"))
        })?;
        Ok(SignedUrl::new(url))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::objects::progress::Progress;

    #[test]
    fn a_direct_upload_comes_back_and_is_no_standard_one() {
        let plan = PartPlan::new(20 << 20, 8 << 20);
        let (multipart, content) = ("id".to_owned(), 7);
        let parts = Direct { plan, multipart, content, sealed: true, assembled: None };
        let whole = Direct { assembled: Some((20 << 20, "\"tag-3\"".into())), ..parts.clone() };
        for direct in [parts, whole] {
            let staged = direct.staged();
            assert_eq!(Direct::of(&staged), Some(direct));
            // This is how nodes without direct uploads read it.
            assert_eq!(Progress::of(&staged), None);
            let elsewhere = Staged { offset: staged.offset ^ (20 << 20), ..staged };
            assert_eq!(Direct::of(&elsewhere), None);
        }
        assert_eq!(Direct::of(&Progress::default().staged()), None);
    }
}
