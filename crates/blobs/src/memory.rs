//! Objects in memory, for tests.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, MappedReads, ObjectKey, ReadError, StageError,
    Staged, StoredObject, StoredObjects, StoredPage,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::{ByteRange, Digest};

/// How long the pieces of its streams are.
const PIECE: usize = 64 << 10;

/// A store in memory: nothing of it lasts, and nothing fails but as it is told. It holds whole objects, so it is for tests.
#[derive(Default)]
pub struct MemoryBlobs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: HashMap<ObjectKey, (SystemTime, Bytes)>,
    staged: HashMap<UploadId, BytesMut>,
    drops_told: bool,
    full: bool,
}

impl MemoryBlobs {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many objects there are, and how many uploads have something staged: for tests that look for leaks.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.objects.len(), state.staged.len())
    }

    /// From now on it drops only what it is told of, as a store of objects does: what was staged behind that stays.
    pub fn drop_what_is_told(&self) {
        self.state().drops_told = true;
    }

    /// From now on it has no room for more, or has again.
    pub fn fill(&self, full: bool) {
        self.state().full = full;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what lies past the offset.
    fn cut(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        let mut state = self.state();
        let bytes = state.staged.get_mut(upload).ok_or(StageError::NotFound)?;
        if (bytes.len() as u64) < staged.offset {
            return Err(StoreError::Corrupt("fewer bytes are staged than were".into()).into());
        }
        bytes.truncate(staged.offset as usize);
        Ok(())
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        Ok(self.state().objects.get(key).map(|(_, object)| object.len() as u64))
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        let found = self.state().objects.get(key).cloned();
        let (_, object) = found.ok_or(ReadError::NotFound)?;
        let size = object.len() as u64;
        let range = match range {
            None => 0..size,
            Some(range) => range.within(size).ok_or(ReadError::Unsatisfiable { size })?,
        };
        Ok(Content { size, range: range.clone(), stream: pieces(&object, range) })
    }

    async fn stage(&self, upload: &UploadId) -> Result<Staged, StageError> {
        self.state().staged.insert(*upload, BytesMut::new());
        Ok(Staged::default())
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        mut chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        self.cut(upload, staged)?;
        if self.state().full {
            return Err(StoreError::Full("it is told to be".into()).into());
        }
        let mut offset = staged.offset;
        while let Some(chunk) = chunks.next().await {
            let mut state = self.state();
            let bytes = state.staged.get_mut(upload).ok_or(StageError::NotFound)?;
            bytes.extend_from_slice(&chunk);
            offset += chunk.len() as u64;
        }
        Ok(Staged { offset, parts: Vec::new() })
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        let state = self.state();
        let bytes = state.staged.get(upload).ok_or(StageError::NotFound)?;
        let bytes = Bytes::copy_from_slice(bytes);
        if (bytes.len() as u64) < staged.offset {
            return Err(StoreError::Corrupt("fewer bytes are staged than were".into()).into());
        }
        Ok(pieces(&bytes, 0..staged.offset))
    }

    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        match self.cut(upload, staged) {
            Err(StageError::NotFound) if self.state().objects.contains_key(key) => return Ok(()),
            other => other?,
        }
        let mut state = self.state();
        let bytes = state.staged.remove(upload).ok_or(StageError::NotFound)?;
        state.objects.entry(*key).or_insert_with(|| (SystemTime::now(), bytes.freeze()));
        Ok(())
    }

    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        _after: &Staged,
    ) -> Result<(), StoreError> {
        match self.cut(upload, before) {
            Ok(()) | Err(StageError::NotFound) => Ok(()),
            Err(StageError::Store(fault)) => Err(fault),
        }
    }

    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        let mut state = self.state();
        let length = state.staged.get(upload).map_or(0, BytesMut::len) as u64;
        if !state.drops_told || length <= staged.offset {
            state.staged.remove(upload);
        }
        Ok(())
    }

    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        let objects = &mut self.state().objects;
        for key in keys {
            objects.remove(key);
        }
        Deletion { gone: keys.to_vec(), fault: None }
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Nothing is mapped; it lets tests take the way through which mapped pages go.
#[async_trait]
impl MappedReads for MemoryBlobs {
    async fn read_mapped(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError> {
        self.read(key, range).await
    }
}

#[async_trait]
impl StoredObjects for MemoryBlobs {
    async fn list_objects(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<StoredPage, StoreError> {
        let state = self.state();
        let stored = state.objects.iter().map(|(key, (modified, object))| StoredObject {
            key: *key,
            size: object.len() as u64,
            modified: *modified,
        });
        let behind = stored.filter(|object| after.is_none_or(|after| object.key.digest > after));
        let mut objects: Vec<_> = behind.collect();
        objects.sort_by_key(|object| (object.key.digest, object.key.incarnation));
        let last = limit.checked_sub(1).and_then(|last| objects.get(last));
        let up_to = last.map(|last| last.key.digest);
        let end = up_to.map_or(objects.len(), |up_to| {
            objects.partition_point(|object| object.key.digest <= up_to)
        });
        objects.truncate(end);
        Ok(StoredPage { objects, unknown: 0, up_to })
    }
}

fn pieces(object: &Bytes, range: Range<u64>) -> ByteStream {
    let mut rest = object.slice(range.start as usize..range.end as usize);
    Box::pin(stream::poll_fn(move |_| {
        let length = rest.len().min(PIECE);
        std::task::Poll::Ready((length > 0).then(|| Ok(rest.split_to(length))))
    }))
}

#[cfg(test)]
mod tests {
    use super::MemoryBlobs;

    fn make() -> (MemoryBlobs, ()) {
        (MemoryBlobs::new(), ())
    }

    crate::blobs_contract!(make);

    mod listing {
        crate::stored_objects_contract!(super::make);
    }
}
