//! What broken requests and dead nodes left behind: staged objects, and multipart uploads that nobody goes on with.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use http::Method;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{MultipartId, ObjectMeta, ObjectStoreExt};
use wharf_core::blobs::Leftovers;
use wharf_core::{StoreError, UploadId};

use super::failure::{late, store_error, unless_missing};
use super::{ObjectBlobs, S3};

/// How long the signed request for a list is good for.
const SIGNED_FOR: Duration = Duration::from_secs(300);

#[async_trait]
impl Leftovers for ObjectBlobs {
    async fn staged_before(
        &self,
        age: Duration,
        limit: usize,
    ) -> Result<Vec<UploadId>, StoreError> {
        let newest = SystemTime::now() - age;
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
            for (key, _) in self.multiparts(s3, &staging).await? {
                if uploads.len() < limit {
                    uploads.extend(self.upload_of(&key));
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
            let content = self.content_path(upload);
            for (key, id) in self.multiparts(s3, &folder).await? {
                if key == content.as_ref() {
                    let aborted = self.service.abort_multipart(&content, &id);
                    unless_missing(
                        "dropping parts",
                        self.within("dropping parts", aborted).await?,
                    )?;
                }
            }
        }
        Ok(())
    }
}

impl ObjectBlobs {
    /// The upload that a staged object belongs to.
    fn upload_of(&self, path: &str) -> Option<UploadId> {
        let (_, below) = path.rsplit_once("staging/")?;
        below.split('/').next()?.parse().ok()
    }

    /// The multipart uploads that are not completed, a page of them: their keys and names.
    async fn multiparts(
        &self,
        s3: &S3,
        folder: &Path,
    ) -> Result<Vec<(String, MultipartId)>, StoreError> {
        let doing = "listing multipart uploads";
        let query = [("uploads", String::new()), ("prefix", format!("{folder}/"))];
        let options = SignedUrlOptions::new().with_query(query);
        let bucket = Path::default();
        let url = s3.store.signed_url_opts(Method::GET, &bucket, SIGNED_FOR, &options);
        let url = self.within(doing, url).await?.map_err(|error| store_error(doing, &error))?;
        let asked = async {
            let reply = s3.client.get(url).send().await?.error_for_status()?;
            reply.text().await
        };
        let reply = tokio::time::timeout(self.limits.request, asked).await;
        let reply = reply.map_err(|_| late(doing))?.map_err(|error| {
            StoreError::Unavailable(format!("the object store: {doing}: {}", error.without_url()))
        })?;
        let between = |text: &str, name: &str| {
            let rest = text.split_once(&format!("<{name}>"))?.1;
            Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
        };
        let uploads = reply.split("<Upload>").skip(1);
        Ok(uploads.filter_map(|it| Some((between(it, "Key")?, between(it, "UploadId")?))).collect())
    }
}
