//! The yardstick for pushes to S3: the client itself uploads to the same server, several parts at once.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{PutPayload, aws::AmazonS3};

use crate::content::Blob;

/// The size of a part, as Wharf has it.
const PART: usize = 8 << 20;

/// How many parts are on their way at once.
pub const AT_ONCE: usize = 4;

/// Uploads `blob` under its digest.
pub async fn upload(store: &AmazonS3, blob: &Blob<'_>) -> Result<()> {
    let path = Path::from(blob.digest.replace(':', "/"));
    let id = store.create_multipart(&path).await?;
    let puts = blob
        .parts(PART)
        .into_iter()
        .enumerate()
        .map(|(number, part)| store.put_part(&path, &id, number, PutPayload::from_iter(part)));
    let parts = stream::iter(puts).buffered(AT_ONCE).try_collect().await?;
    store.complete_multipart(&path, &id, parts).await?;
    Ok(())
}
