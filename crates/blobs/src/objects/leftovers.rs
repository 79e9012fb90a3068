//! What broken requests and dead nodes left behind: staged objects, and multipart uploads that nobody goes on with.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use http::Method;
use object_store::path::Path;
use object_store::{MultipartId, ObjectMeta, ObjectStoreExt};
use wharf_core::blobs::Leftovers;
use wharf_core::{StoreError, UploadId};
use wharf_oci::Algorithm;

use super::failure::{store_error, unless_missing};
use super::signed::{Reply, Request, element};
use super::{ObjectBlobs, S3};

/// How many pages of multipart uploads, of a thousand each, are looked at in one go.
const MOST_PAGES: usize = 50;

#[async_trait]
impl Leftovers for ObjectBlobs {
    async fn staged_before(
        &self,
        age: Duration,
        limit: usize,
    ) -> Result<Vec<UploadId>, StoreError> {
        let newest = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let old = |found: &ObjectMeta| SystemTime::from(found.last_modified) < newest;
        let mut uploads = BTreeSet::new();
        let staging = self.path("staging");
        let mut listed = self.service.list(Some(&staging));
        loop {
            let next = self.within("listing staged objects", listed.try_next()).await?;
            let next = next.map_err(|error| store_error("listing staged objects", &error))?;
            let Some(found) = next else { break };
            if let Some(upload) = self.upload_of(found.location.as_ref()).filter(|_| old(&found)) {
                uploads.insert(upload);
            } else if found.location.as_ref().contains("/check-") && old(&found) {
                let deleted = self.within("deleting", self.service.delete(&found.location)).await?;
                unless_missing("deleting", deleted)?;
            }
            if uploads.len() >= limit {
                break;
            }
        }
        if let Some(s3) = &self.s3 {
            let newest = jiff::Timestamp::try_from(newest).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            let is_new = |found: &Unfinished| found.begun.is_some_and(|begun| begun >= newest);
            for found in self.multiparts(s3, &staging).await?.iter().filter(|it| !is_new(it)) {
                match self.upload_of(&found.key) {
                    Some(upload) if uploads.len() < limit => _ = uploads.insert(upload),
                    Some(_) => {}
                    None => self.drop_multipart(found).await?,
                }
            }
            // Copies to their place, which a node began and did not end.
            for algorithm in Algorithm::ALL {
                let found = self.multiparts(s3, &self.path(algorithm.name())).await?;
                for found in found.iter().filter(|it| it.begun.is_some() && !is_new(it)) {
                    self.drop_multipart(found).await?;
                }
            }
        }
        Ok(uploads.into_iter().collect())
    }

    async fn drop_leftovers(&self, upload: &UploadId) -> Result<(), StoreError> {
        let folder = self.path(&format!("staging/{upload}"));
        let listing = self.service.list(Some(&folder)).try_collect::<Vec<_>>();
        let found = self.within("listing staged objects", listing).await?;
        let found = found.map_err(|error| store_error("listing staged objects", &error))?;
        for object in found {
            let deleted = self.within("deleting", self.service.delete(&object.location)).await?;
            unless_missing("deleting staged bytes", deleted)?;
        }
        if let Some(s3) = &self.s3 {
            for found in self.multiparts(s3, &folder).await? {
                self.drop_multipart(&found).await?;
            }
        }
        Ok(())
    }
}

/// A multipart upload that was begun and not ended.
struct Unfinished {
    key: String,
    id: MultipartId,
    begun: Option<jiff::Timestamp>,
}

impl ObjectBlobs {
    /// The upload that a staged object belongs to.
    fn upload_of(&self, path: &str) -> Option<UploadId> {
        let below = path.strip_prefix(self.path("staging").as_ref())?.strip_prefix('/')?;
        below.split('/').next()?.parse().ok()
    }

    /// Whether multipart uploads may be listed.
    pub(super) async fn list_multiparts(&self, folder: &Path) -> Result<(), StoreError> {
        match &self.s3 {
            Some(s3) => self.multiparts(s3, folder).await.map(drop),
            None => Ok(()),
        }
    }

    /// The keys of the multipart uploads below a folder, for tests that look for leaks.
    #[cfg(test)]
    pub(super) async fn multipart_keys(&self, folder: &Path) -> Vec<String> {
        let Some(s3) = &self.s3 else { return Vec::new() };
        let found = self.multiparts(s3, folder).await;
        found.unwrap_or_default().into_iter().map(|upload| upload.key).collect()
    }

    async fn drop_multipart(&self, found: &Unfinished) -> Result<(), StoreError> {
        let (doing, path) = ("dropping parts", Path::from(found.key.as_str()));
        let aborting = self.service.abort_multipart(&path, &found.id);
        unless_missing(doing, self.within(doing, aborting).await?)
    }

    /// The multipart uploads below a folder that are not completed.
    async fn multiparts(&self, s3: &S3, folder: &Path) -> Result<Vec<Unfinished>, StoreError> {
        let (doing, bucket) = ("listing multipart uploads", Path::default());
        let prefix = format!("{folder}/");
        let mut found = Vec::new();
        let mut markers = Vec::new();
        for _ in 0..MOST_PAGES {
            let query = [("uploads", String::new()), ("prefix", prefix.clone())];
            let request = Request {
                doing,
                method: Method::GET,
                path: &bucket,
                query: query.into_iter().chain(markers.clone()).collect(),
                headers: Vec::new(),
                body: String::new(),
                limit: self.limits.request,
            };
            let Reply::Done(page) = s3.ask(request, "<ListMultipartUploadsResult").await? else {
                return Err(StoreError::Unavailable(format!("the object store: {doing}: refused")));
            };
            let uploads = page.split("<Upload>").skip(1).filter_map(|upload| {
                let begun = element(upload, "Initiated").and_then(|time| time.parse().ok());
                Some(Unfinished {
                    key: element(upload, "Key")?,
                    id: element(upload, "UploadId")?,
                    begun,
                })
            });
            found.extend(uploads.filter(|upload| upload.key.starts_with(&prefix)));
            let key = element(&page, "NextKeyMarker").filter(|key| !key.is_empty());
            let more = element(&page, "IsTruncated").as_deref() == Some("true");
            let Some(key) = key.filter(|_| more) else { break };
            let upload = element(&page, "NextUploadIdMarker").unwrap_or_default();
            let next = vec![("key-marker", key), ("upload-id-marker", upload)];
            if next == markers {
                break;
            }
            markers = next;
        }
        Ok(found)
    }
}
