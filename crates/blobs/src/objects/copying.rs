//! A copy inside the store, which takes no object's place. S3 copies 5 GiB at once; past that, part by part.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderName, HeaderValue, Method};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{CopyMode, CopyOptions, Error};
use wharf_core::StoreError;
use wharf_core::blobs::StageError;

use super::failure::{late, stage_error};
use super::{ObjectBlobs, S3};

/// How many parts of a copy are under way at once.
const AT_ONCE: usize = 4;

/// How long a signed request to the store itself is good for.
const SIGNED_FOR: Duration = Duration::from_secs(300);

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const COPY_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");

impl ObjectBlobs {
    /// Copies an object of `size` bytes, unless there is one already.
    pub(super) async fn copy(&self, from: &Path, to: &Path, size: u64) -> Result<(), StageError> {
        if let Some(s3) = &self.s3
            && size > self.limits.single_copy
        {
            return self.copy_in_parts(s3, from, to, size).await;
        }
        let options = CopyOptions { mode: CopyMode::Create, ..CopyOptions::default() };
        let copying = self.service.copy_opts(from, to, options);
        match self.within_long("copying an object", copying).await? {
            Ok(()) | Err(Error::AlreadyExists { .. }) => Ok(()),
            // Another request was faster, and has dropped what is staged.
            Err(Error::NotFound { .. }) if self.size(to).await?.is_some() => Ok(()),
            Err(error) => Err(stage_error("copying an object", &error)),
        }
    }

    async fn copy_in_parts(
        &self,
        s3: &S3,
        from: &Path,
        to: &Path,
        size: u64,
    ) -> Result<(), StageError> {
        let failed = |error: &Error| stage_error("copying a large object", error);
        let begun = s3.store.create_multipart(to);
        let id = self.within("copying a large object", begun).await?.map_err(|it| failed(&it))?;
        let step = self.limits.copy_part.max(size.div_ceil(9_999));
        let starts: Vec<u64> = (0..size).step_by(step as usize).collect();
        let copies = starts.iter().enumerate().map(|(index, start)| {
            let range = *start..(start + step).min(size);
            self.copy_part(s3, from, to, &id, index, range)
        });
        let copied: Result<Vec<PartId>, StageError> =
            stream::iter(copies.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await;
        let done = match copied {
            Ok(parts) => {
                let completing = s3.store.complete_multipart(to, &id, parts);
                let completed = self.within_long("copying a large object", completing).await;
                match completed {
                    Ok(Ok(_)) => return Ok(()),
                    Ok(Err(error)) => Err(failed(&error)),
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error),
        };
        let _ = self.within("dropping a copy", s3.store.abort_multipart(to, &id)).await;
        match done {
            Err(_) if self.size(to).await? == Some(size) => Ok(()),
            other => other,
        }
    }

    async fn copy_part(
        &self,
        s3: &S3,
        from: &Path,
        to: &Path,
        id: &str,
        index: usize,
        range: std::ops::Range<u64>,
    ) -> Result<PartId, StageError> {
        let broken = |reason: String| {
            StoreError::Unavailable(format!("the object store: copying a part: {reason}"))
        };
        let value =
            |text: String| HeaderValue::try_from(text).map_err(|error| broken(error.to_string()));
        let source = value(format!("{}/{from}", s3.bucket))?;
        let span = value(format!("bytes={}-{}", range.start, range.end - 1))?;
        let options = SignedUrlOptions::new()
            .with_query([("partNumber", (index + 1).to_string()), ("uploadId", id.to_owned())])
            .with_signed_header(COPY_SOURCE, source.clone())
            .with_signed_header(COPY_RANGE, span.clone());
        let mut tries = 0;
        loop {
            let url = s3.store.signed_url_opts(Method::PUT, to, SIGNED_FOR, &options).await;
            let url = url.map_err(|error| stage_error("copying a part", &error))?;
            let asked = s3.client.put(url).header(COPY_SOURCE, &source).header(COPY_RANGE, &span);
            let answer = async {
                let reply = asked.send().await?;
                Ok::<_, reqwest::Error>((reply.status(), reply.text().await?))
            };
            let answer = tokio::time::timeout(self.limits.long_request, answer).await;
            let answer = answer.map_err(|_| late("copying a part"))?;
            tries += 1;
            match answer {
                // The status is sent before the copy is made: only the document says that it was.
                Ok((status, text)) if status.is_success() && text.contains("<ETag>") => {
                    let tag = text.split("<ETag>").nth(1).and_then(|it| it.split("</").next());
                    let tag = tag.unwrap_or_default().replace("&quot;", "\"");
                    return Ok(PartId { content_id: tag.replace("&#34;", "\"") });
                }
                Ok((status, _)) if status == http::StatusCode::NOT_FOUND => {
                    return Err(StageError::NotFound);
                }
                Ok((status, text)) if tries > 3 => {
                    let text: String = text.chars().take(300).collect();
                    return Err(broken(format!("{status} {text}")).into());
                }
                // Its text would hold the signed URL.
                Err(error) if tries > 3 => {
                    return Err(broken(error.without_url().to_string()).into());
                }
                _ => tokio::time::sleep(Duration::from_millis(200 << tries)).await,
            }
        }
    }
}

/// What a store does with an object that is there already when one is copied to its place.
pub(super) fn never_over() -> object_store::aws::S3CopyIfNotExists {
    object_store::aws::S3CopyIfNotExists::Header("if-none-match".into(), "*".into())
}
