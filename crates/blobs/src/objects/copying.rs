//! A copy inside the store, which takes no object's place. S3 copies 5 GiB at once; past that, part by part.
//!
//! Azure may go on copying after it has answered: an object counts only when its copy has ended.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderName, Method, header};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{CopyMode, CopyOptions, Error, MultipartId, ObjectStoreExt};
use wharf_core::StoreError;
use wharf_core::blobs::StageError;

use super::failure::{late, stage_error, unless_missing};
use super::signed::{Reply, Request, element};
use super::{ObjectBlobs, S3};

/// How many parts of a copy are under way at once.
const AT_ONCE: usize = 4;

/// The most parts of an object.
const MOST_PARTS: u64 = 10_000;

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const COPY_SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");
const COPY_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");

impl ObjectBlobs {
    /// Copies an object of `size` bytes, unless there is one already; where a `version` is named, on S3, only that
    /// one. What came of it, whoever asked looks.
    pub(super) async fn copy(
        &self,
        from: &Path,
        version: Option<String>,
        to: &Path,
        size: u64,
    ) -> Result<(), StageError> {
        if let Some(s3) = &self.s3 {
            let from = CopySource { path: from, version: version.as_deref() };
            if size > self.limits.single_copy {
                return self.copy_in_parts(s3, from, to, size).await;
            }
            if from.version.is_some() {
                return self.copy_version(s3, from, to).await;
            }
        }
        let copy = async |mode| {
            let options = CopyOptions { mode, ..CopyOptions::default() };
            let copying = self.service.copy_opts(from, to, options);
            self.within_long("copying an object", copying).await
        };
        let conditional = !self.plain_copies.load(Ordering::Relaxed);
        let mut copied =
            copy(if conditional { CopyMode::Create } else { CopyMode::Overwrite }).await?;
        if conditional && is_unknown(&copied) {
            // A store without that condition: what guards the target is that it was just looked for, and that no
            // other bytes than these would ever be put there.
            self.plain_copies.store(true, Ordering::Relaxed);
            copied = copy(CopyMode::Overwrite).await?;
        }
        match copied {
            Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(stage_error("copying an object", &error)),
        }
    }

    async fn copy_in_parts(
        &self,
        s3: &S3,
        from: CopySource<'_>,
        to: &Path,
        size: u64,
    ) -> Result<(), StageError> {
        let doing = "copying a large object";
        let begun = self.within(doing, s3.store.create_multipart(to)).await?;
        let id = begun.map_err(|error| stage_error(doing, &error))?;
        let copied = self.copy_parts(s3, from, to, size, &id).await;
        if copied.is_err() {
            // Where that fails, the collector of leftovers finds it.
            let _ = self.within("dropping a copy", s3.store.abort_multipart(to, &id)).await;
        }
        copied
    }

    async fn copy_parts(
        &self,
        s3: &S3,
        from: CopySource<'_>,
        to: &Path,
        size: u64,
        id: &MultipartId,
    ) -> Result<(), StageError> {
        let step = self.limits.copy_part.max(size.div_ceil(MOST_PARTS)).max(1);
        let count = size.div_ceil(step);
        let copies = (0..count).map(|index| {
            let range = index * step..((index + 1) * step).min(size);
            self.copy_part(s3, from, to, id, index + 1, range)
        });
        // Collected first: the compiler does not see that the futures of a lazy iterator may be sent.
        let copies: Vec<_> = copies.collect();
        let parts: Vec<String> = stream::iter(copies).buffered(AT_ONCE).try_collect().await?;
        let doing = "completing a copy";
        let request = Request {
            doing,
            method: Method::POST,
            path: to,
            query: vec![("uploadId", id.clone())],
            headers: vec![(header::IF_NONE_MATCH, "*".to_owned())],
            body: format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat()),
            limit: self.limits.long_request,
        };
        match s3.ask(request, "<CompleteMultipartUploadResult").await? {
            Reply::Done(_) => Ok(()),
            Reply::Taken | Reply::Missing => {
                // Another finish was faster, or the reply to this one was lost: whoever asked looks what is there.
                let _ = self.within("dropping a copy", s3.store.abort_multipart(to, id)).await;
                Ok(())
            }
        }
    }

    /// Copies one version of an object at once, unless there is one already.
    async fn copy_version(
        &self,
        s3: &S3,
        from: CopySource<'_>,
        to: &Path,
    ) -> Result<(), StageError> {
        let doing = "copying a version";
        let copy = async |conditional: bool| {
            let mut headers = from.headers(s3);
            if conditional {
                headers.push((header::IF_NONE_MATCH, "*".to_owned()));
            }
            let limit = self.limits.long_request;
            let (method, query, body) = (Method::PUT, Vec::new(), String::new());
            let request = Request { doing, method, path: to, query, headers, body, limit };
            s3.ask(request, "<CopyObjectResult").await
        };
        let conditional = !self.plain_copies.load(Ordering::Relaxed);
        let copied = match copy(conditional).await {
            Err(fault) if conditional && fault.to_string().contains(UNKNOWN) => {
                self.plain_copies.store(true, Ordering::Relaxed);
                copy(false).await?
            }
            other => other?,
        };
        match copied {
            Reply::Done(_) | Reply::Taken => Ok(()),
            Reply::Missing => Err(StageError::NotFound),
        }
    }

    /// Copies a part, counted from 1, and returns what completes it.
    async fn copy_part(
        &self,
        s3: &S3,
        from: CopySource<'_>,
        to: &Path,
        id: &str,
        number: u64,
        range: std::ops::Range<u64>,
    ) -> Result<String, StageError> {
        let doing = "copying a part";
        let mut headers = from.headers(s3);
        headers.push((COPY_RANGE, format!("bytes={}-{}", range.start, range.end - 1)));
        let request = Request {
            doing,
            method: Method::PUT,
            path: to,
            query: vec![("partNumber", number.to_string()), ("uploadId", id.to_owned())],
            headers,
            body: String::new(),
            limit: self.limits.long_request,
        };
        let document = match s3.ask(request, "<ETag>").await? {
            // Another version than the one that was asked for.
            Reply::Taken if from.version.is_some() => return Err(StageError::NotFound),
            other => other.document(doing)?,
        };
        // Its checksum as well, where the store has made one.
        let fields = ["ETag", "ChecksumCRC64NVME"].map(|name| {
            let text = element(&document, name)?.replace('"', "&quot;");
            Some(format!("<{name}>{text}</{name}>"))
        });
        let fields: String = fields.into_iter().flatten().collect();
        Ok(format!("<Part>{fields}<PartNumber>{number}</PartNumber></Part>"))
    }

    /// Waits until Azure is not copying to `path` any more, and removes what a copy that failed has left there.
    pub(super) async fn settle_copy(&self, path: &Path) -> Result<(), StoreError> {
        let Some(client) = &self.azure else { return Ok(()) };
        let doing = "waiting for a copy";
        let settling = async {
            let mut pause = Duration::from_millis(50);
            while self.copy_is_pending(client, path).await? {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            Ok(())
        };
        self.within_long(doing, settling).await?
    }
}

impl ObjectBlobs {
    /// Asked by a signed URL, since the library tells of no copies. With credentials that sign none, a token of shared
    /// access, a copy is taken to have ended with its reply, as it does within an account but for the largest blobs.
    async fn copy_is_pending(
        &self,
        client: &reqwest::Client,
        path: &Path,
    ) -> Result<bool, StoreError> {
        let doing = "asking about a copy";
        let life = Duration::from_secs(300);
        let Ok(url) = self.service.signed_url(Method::HEAD, path, life).await else {
            return Ok(false);
        };
        let reply = tokio::time::timeout(self.limits.request, client.head(url).send()).await;
        let reply = reply.map_err(|_| late(doing))?.map_err(|error| {
            // Its text would hold the signed URL.
            StoreError::Unavailable(format!("the object store: {doing}: {}", error.without_url()))
        })?;
        match reply.headers().get("x-ms-copy-status").map(|status| status.as_bytes()) {
            Some(b"pending") => Ok(true),
            Some(b"failed" | b"aborted") => {
                let deleted = self.within(doing, self.service.delete(path)).await?;
                unless_missing(doing, deleted)?;
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// What is copied.
#[derive(Clone, Copy)]
struct CopySource<'a> {
    path: &'a Path,
    /// The entity tag of the version that it must be.
    version: Option<&'a str>,
}

impl CopySource<'_> {
    fn headers(&self, s3: &S3) -> Vec<(HeaderName, String)> {
        let source = (COPY_SOURCE, format!("{}/{}", s3.bucket, self.path));
        let version = self.version.map(|version| (COPY_SOURCE_IF_MATCH, version.to_owned()));
        [source].into_iter().chain(version).collect()
    }
}

/// What a store answers that does not know a condition.
const UNKNOWN: &str = "NotImplemented";

/// Whether a store refused a copy because it does not know the condition.
fn is_unknown(copied: &object_store::Result<()>) -> bool {
    matches!(copied, Err(error) if error.to_string().contains(UNKNOWN))
}

/// What a store does with an object that is there already when one is copied to its place.
pub(super) fn never_over() -> object_store::aws::S3CopyIfNotExists {
    object_store::aws::S3CopyIfNotExists::Header("if-none-match".into(), "*".into())
}
