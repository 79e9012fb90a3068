//! Bytes into the store as they arrive: parts of a multipart upload, some at once, and the rest as a tail.

use std::mem;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt, TryStreamExt};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use wharf_core::blobs::{Chunks, StageError, Staged};
use wharf_core::{StoreError, UploadId};

use super::ObjectBlobs;
use super::failure::{stage_error, store_error, unless_missing};
use super::progress::{Progress, Tail};

/// How many parts of one upload are on their way at once. With the one being filled, an upload holds one part more.
const AT_ONCE: usize = 2;

/// The least part that S3 takes, but for the last of an object.
const LEAST_PART: u64 = 5 << 20;

/// After this many parts their size doubles, so that 100 GiB take fewer than the 10,000 parts that S3 knows.
const STEP: usize = 2000;

/// The most parts that S3 takes. Those of uploads that come in the smallest possible chunks have room for 300 GB.
const MOST_PARTS: usize = 10_000;

impl ObjectBlobs {
    pub(super) async fn append_to(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        let before = Progress::of(staged).ok_or(StageError::NotFound)?;
        let mut chunks = chunks.filter(|chunk| std::future::ready(!chunk.is_empty())).peekable();
        if Pin::new(&mut chunks).peek().await.is_none() {
            return Ok(staged.clone());
        }
        // That this append begins here says that its beginning was recorded.
        if let Some(replaced) = before.replaced {
            self.forget_tail(upload, replaced).await;
        }
        let tail = match before.tail {
            Some(tail) => vec![self.read_tail(upload, tail).await?],
            None => Vec::new(),
        };
        let mut filling =
            Filling { size: tail.iter().map(|it| it.len() as u64).sum(), bytes: tail };
        let replaced = before.tail.map(|tail| tail.name);
        let mut progress = Progress { tail: None, replaced, ..before.clone() };
        let mut sending = Sending { store: self, upload, under_way: FuturesOrdered::new() };
        let taken = async {
            while let Some(chunk) = chunks.next().await {
                filling.push(chunk);
                while filling.size >= self.part_size(sending.number(&progress)) {
                    let part = filling.take(self.part_size(sending.number(&progress)));
                    sending.send(&mut progress, part).await?;
                }
            }
            // What could be a part by itself need not be read again.
            let number = sending.number(&progress);
            let enough = LEAST_PART.max(self.part_size(number) / 8 * 5);
            if filling.size >= enough && number > 0 {
                let part = filling.take(filling.size);
                sending.send(&mut progress, part).await?;
            }
            sending.settle(&mut progress).await
        };
        let taken = taken.await;
        if let Err(error) = taken {
            sending.under_way.clear();
            self.forget_multipart(upload, &before, &progress).await;
            return Err(error);
        }
        if filling.size > 0 {
            let name = self.new_name();
            let size = filling.size;
            let path = self.tail_path(upload, name);
            let payload = PutPayload::from_iter(mem::take(&mut filling.bytes));
            let put = self.within("putting a tail", self.service.put(&path, payload)).await?;
            if let Err(error) = put {
                self.forget_multipart(upload, &before, &progress).await;
                return Err(store_error("putting a tail", &error).into());
            }
            progress.tail = Some(Tail { name, size });
        }
        Ok(progress.staged())
    }

    /// The size of a part, counted from 0.
    fn part_size(&self, number: usize) -> u64 {
        self.limits.part_size << (number / STEP).min(16)
    }

    pub(super) async fn read_tail(
        &self,
        upload: &UploadId,
        tail: Tail,
    ) -> Result<Bytes, StageError> {
        let path = self.tail_path(upload, tail.name);
        let read = async { self.service.get(&path).await?.bytes().await };
        let read = self.within("reading a tail", read).await?;
        let bytes = read.map_err(|error| stage_error("reading a tail", &error))?;
        if bytes.len() as u64 != tail.size {
            let found = bytes.len();
            let text = format!("the tail {path} has {found} bytes, not {}", tail.size);
            return Err(wharf_core::StoreError::Corrupt(text).into());
        }
        Ok(bytes)
    }

    /// Deletes a tail that nothing names any more. Where that fails, the collector of leftovers finds it.
    pub(super) async fn forget_tail(&self, upload: &UploadId, name: u128) {
        let path = self.tail_path(upload, name);
        let _ = self.within("deleting a tail", self.service.delete(&path)).await;
    }

    /// Drops what an append has added that nobody records. Parts of a multipart upload that was there before are replaced by those of the
    /// next append, or go with the upload.
    pub(super) async fn forget_appended(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError> {
        let (Some(before), Some(after)) = (Progress::of(before), Progress::of(after)) else {
            return Ok(());
        };
        if let Some(tail) = after.tail.filter(|tail| Some(*tail) != before.tail) {
            let path = self.tail_path(upload, tail.name);
            let deleted = self.within("deleting a tail", self.service.delete(&path)).await?;
            unless_missing("deleting a tail", deleted)?;
        }
        self.forget_multipart(upload, &before, &after).await;
        Ok(())
    }

    /// Drops a multipart upload that a failed append began.
    async fn forget_multipart(&self, upload: &UploadId, before: &Progress, after: &Progress) {
        if before.multipart.is_none()
            && let Some(id) = &after.multipart
        {
            let path = self.content_path(upload, after.content);
            let _ = self.within("dropping parts", self.service.abort_multipart(&path, id)).await;
        }
    }
}

/// Pieces that are not a part yet.
struct Filling {
    bytes: Vec<Bytes>,
    size: u64,
}

impl Filling {
    fn push(&mut self, bytes: Bytes) {
        self.size += bytes.len() as u64;
        self.bytes.push(bytes);
    }

    /// The first `size` bytes of the pieces.
    fn take(&mut self, size: u64) -> Vec<Bytes> {
        let mut left = size;
        let mut taken = Vec::new();
        let mut rest = mem::take(&mut self.bytes).into_iter();
        for mut piece in rest.by_ref() {
            if (piece.len() as u64) <= left {
                left -= piece.len() as u64;
                taken.push(piece);
            } else {
                let head = piece.split_to(left as usize);
                left = 0;
                if !head.is_empty() {
                    taken.push(head);
                }
                self.bytes.push(piece);
            }
            if left == 0 {
                break;
            }
        }
        self.bytes.extend(rest);
        self.size -= size;
        taken
    }
}

type Sent = std::pin::Pin<Box<dyn Future<Output = Result<PartId, StageError>> + Send>>;

/// Parts on their way.
struct Sending<'a> {
    store: &'a ObjectBlobs,
    upload: &'a UploadId,
    under_way: FuturesOrdered<Sent>,
}

impl Sending<'_> {
    /// The number of the next part, counted from 0.
    fn number(&self, progress: &Progress) -> usize {
        progress.parts.len() + self.under_way.len()
    }

    /// Sends a part on its way, once there is room for it.
    async fn send(&mut self, progress: &mut Progress, part: Vec<Bytes>) -> Result<(), StageError> {
        if self.number(progress) >= MOST_PARTS {
            let text = format!("an upload has more than the {MOST_PARTS} parts that a store takes");
            return Err(StoreError::Full(text).into());
        }
        let (id, path) = match &progress.multipart {
            Some(id) => (id.clone(), self.store.content_path(self.upload, progress.content)),
            None => {
                let name = self.store.new_name();
                let path = self.store.content_path(self.upload, name);
                let begun = self.store.service.create_multipart(&path);
                let begun = self.store.within("beginning a multipart upload", begun).await?;
                let id =
                    begun.map_err(|error| stage_error("beginning a multipart upload", &error))?;
                (progress.multipart, progress.content) = (Some(id.clone()), name);
                (id, path)
            }
        };
        if self.under_way.len() >= AT_ONCE
            && let Some(sent) = self.under_way.try_next().await?
        {
            progress.parts.push(sent.content_id);
        }
        progress.in_parts += part.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let number = self.number(progress);
        self.under_way.push_back(self.store.put_part(path, id, number, part));
        Ok(())
    }

    /// Waits for all parts.
    async fn settle(&mut self, progress: &mut Progress) -> Result<(), StageError> {
        while let Some(sent) = self.under_way.try_next().await? {
            progress.parts.push(sent.content_id);
        }
        Ok(())
    }
}

impl ObjectBlobs {
    pub(super) fn put_part(&self, path: Path, id: String, number: usize, part: Vec<Bytes>) -> Sent {
        let (service, requests) = (self.service.clone(), self.requests());
        let limit = self.limits.request;
        // A task of its own: the part goes on while the next is filled, and ends with whoever waits for it.
        let sending = tokio::spawn(async move {
            let payload = PutPayload::from_iter(part);
            let put = service.put_part(&path, &id, number, payload);
            let put = requests.within(limit, "putting a part", put).await?;
            put.map_err(|error| stage_error("putting a part", &error))
        });
        let sending = AbortOnDrop(sending);
        Box::pin(async move {
            let mut sending = sending;
            (&mut sending.0).await.unwrap_or_else(|error| {
                let text = format!("a part was not sent: {error}");
                Err(wharf_core::StoreError::Unavailable(text).into())
            })
        })
    }
}

/// A task that nobody waits for any more is of no use.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
