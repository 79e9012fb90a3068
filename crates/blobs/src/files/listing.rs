//! The objects in the store's folders, a page at a time in the order of their digests: folder by folder, so that a page costs what it shows.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::blobs::{ObjectKey, StoredObject, StoredObjects, StoredPage};
use wharf_oci::{Algorithm, Digest};

use super::FileBlobs;
use super::blocking::blocking;
use super::faults::store_error;

#[async_trait]
impl StoredObjects for FileBlobs {
    async fn list_objects(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<StoredPage, StoreError> {
        let layout = Arc::clone(&self.layout);
        blocking(move || {
            let mut walk = Walk { after, limit, page: StoredPage::default() };
            walk.go(layout.objects()).map_err(|error| store_error("listing objects", &error))?;
            Ok(walk.page)
        })
        .await
    }
}

/// A walk over the folders that ends behind the folder in which its page is full.
struct Walk {
    after: Option<Digest>,
    limit: usize,
    page: StoredPage,
}

impl Walk {
    fn go(&mut self, objects: &Path) -> io::Result<()> {
        for algorithm in Algorithm::ALL {
            let mut start = [String::new(), String::new()];
            match self.after {
                Some(after) if algorithm < after.algorithm() => continue,
                Some(after) if algorithm == after.algorithm() => {
                    let hex = after.hex();
                    start = [hex[..2].to_owned(), hex[2..4].to_owned()];
                }
                _ => {}
            }
            let folder = objects.join(algorithm.name());
            let [first, second] = start;
            for outer in self.shards(&folder, &first)? {
                let second = if outer == first { second.as_str() } else { "" };
                for inner in self.shards(&folder.join(&outer), second)? {
                    let path = format!("{}/{outer}/{inner}", algorithm.name());
                    self.shard(objects, &path)?;
                    if self.page.objects.len() >= self.limit {
                        self.page.up_to = self.page.objects.last().map(|last| last.key.digest);
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The folders of two hexadecimal digits in a folder, from `first` on.
    fn shards(&mut self, folder: &Path, first: &str) -> io::Result<Vec<String>> {
        let mut shards = Vec::new();
        for (name, is_folder) in entries(folder)? {
            match name.into_string() {
                Ok(name) if is_folder && is_shard(&name) => shards.push(name),
                // Where the walk goes on in the middle of a folder, what else is there was counted.
                _ => self.page.unknown += u64::from(first.is_empty()),
            }
        }
        shards.retain(|name| name.as_str() >= first);
        shards.sort_unstable();
        Ok(shards)
    }

    /// The objects of one folder.
    fn shard(&mut self, objects: &Path, path: &str) -> io::Result<()> {
        let folder = objects.join(path);
        let resumed = |after| ObjectKey::canonical(after).to_string().starts_with(path);
        let is_resumed = self.after.is_some_and(resumed);
        let mut found = Vec::new();
        for (name, is_folder) in entries(&folder)? {
            let key = name.to_str().and_then(|name| ObjectKey::of_path(&format!("{path}/{name}")));
            let Some(key) = key.filter(|_| !is_folder) else {
                self.page.unknown += u64::from(!is_resumed);
                continue;
            };
            if self.after.is_some_and(|after| key.digest <= after) {
                continue;
            }
            match std::fs::metadata(folder.join(&name)) {
                Ok(file) => {
                    let (size, modified) = (file.len(), file.modified()?);
                    found.push(StoredObject { key, size, modified });
                }
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_unstable_by_key(|object| (object.key.digest, object.key.incarnation));
        self.page.objects.append(&mut found);
        Ok(())
    }
}

fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names in a folder, and whether each is a folder itself.
fn entries(folder: &Path) -> io::Result<Vec<(OsString, bool)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        found.push((entry.file_name(), entry.file_type()?.is_dir()));
    }
    Ok(found)
}
