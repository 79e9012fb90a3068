//! What a dead process left in the staging folder: files of uploads that it never came to record, or to forget.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use wharf_core::blobs::Leftovers;
use wharf_core::{StoreError, UploadId};

use super::FileBlobs;
use super::blocking::blocking;
use super::faults::store_error;

#[async_trait]
impl Leftovers for FileBlobs {
    async fn staged_before(
        &self,
        age: Duration,
        limit: usize,
    ) -> Result<Vec<UploadId>, StoreError> {
        let layout = Arc::clone(&self.layout);
        blocking(move || {
            old_uploads(layout.staging(), age, limit)
                .map_err(|error| store_error("listing what is staged", &error))
        })
        .await
    }

    async fn drop_leftovers(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.drop_files(upload).await
    }
}

fn old_uploads(staging: &Path, age: Duration, limit: usize) -> io::Result<Vec<UploadId>> {
    let newest = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut uploads = BTreeSet::new();
    for entry in std::fs::read_dir(staging)? {
        let entry = entry?;
        let name = entry.file_name();
        let upload = name.to_str().and_then(|name| name.trim_end_matches(".parts").parse().ok());
        let Some(upload) = upload else { continue };
        match entry.metadata().and_then(|found| found.modified()) {
            Ok(modified) if modified <= newest => _ = uploads.insert(upload),
            Ok(_) => {}
            // Finished or dropped meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if uploads.len() >= limit {
            break;
        }
    }
    Ok(uploads.into_iter().collect())
}
