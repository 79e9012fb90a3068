//! Room in quotas for the bytes of uploads: held before they come where it is known how many, and step by step where it is not.
//! Where no quota limits the bytes of an upload nothing is asked.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};

use crate::intake::{Source, SourceError};
use crate::metadata::{HoldUpload, Upload};
use crate::registry::Registry;
use crate::{Error, StoreError};

/// How many bytes are held ahead of those that came, at first and at most.
const FIRST_STEP: u64 = 4 << 20;
const LONGEST_STEP: u64 = 64 << 20;

/// Why bytes were not let in, for who finds that they ended.
#[derive(Clone, Default)]
pub(super) struct NoRoom(Arc<Mutex<Option<StoreError>>>);

impl NoRoom {
    fn set(&self, fault: StoreError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// The fault, if there was one.
    pub(super) fn take(&self) -> Option<StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Bytes that are let in as far as there is room for them.
struct Gate<'a> {
    registry: &'a Registry,
    source: Source<'a>,
    upload: Upload,
    came: u64,
    held: u64,
    step: u64,
    no_room: NoRoom,
}

impl Gate<'_> {
    /// Holds room for what came, and for some more where there is that much.
    async fn hold(&mut self) -> Result<(), StoreError> {
        let ahead = self.came.saturating_add(self.step);
        self.step = (self.step * 2).min(LONGEST_STEP);
        let held = match self.registry.hold_bytes(&self.upload, ahead).await {
            Err(StoreError::OverQuota(_)) => {
                self.registry.hold_bytes(&self.upload, self.came).await.map(|()| self.came)
            }
            other => other.map(|()| ahead),
        };
        self.held = held?;
        Ok(())
    }
}

impl Registry {
    /// Holds room for `announced` more bytes of an upload.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`].
    pub(super) async fn hold_announced(
        &self,
        upload: &Upload,
        announced: u64,
    ) -> Result<(), StoreError> {
        let bytes = upload.staged.offset.saturating_add(announced);
        if upload.is_limited { self.hold_bytes(upload, bytes).await } else { Ok(()) }
    }

    /// Holds room for what an upload has, and for no more.
    pub(super) async fn hold_staged(&self, upload: &Upload) -> Result<(), StoreError> {
        if upload.is_limited { self.hold_bytes(upload, upload.staged.offset).await } else { Ok(()) }
    }

    async fn hold_bytes(&self, upload: &Upload, bytes: u64) -> Result<(), StoreError> {
        // One that is gone is found to be so by what follows.
        self.parts.metadata.hold_upload(HoldUpload { id: upload.id, bytes }).await.map(drop)
    }

    /// The bytes of `source`, for which room is held as they come. `announced` of them have room already.
    pub(super) fn gated<'a>(
        &'a self,
        upload: &Upload,
        announced: Option<u64>,
        source: Source<'a>,
    ) -> (Source<'a>, NoRoom) {
        let no_room = NoRoom::default();
        if !upload.is_limited {
            return (source, no_room);
        }
        let (upload, came) = (upload.clone(), upload.staged.offset);
        let held = came.saturating_add(announced.unwrap_or_default());
        let gate = Gate {
            registry: self,
            source,
            upload,
            came,
            held,
            step: FIRST_STEP,
            no_room: no_room.clone(),
        };
        let source = stream::unfold(Some(gate), |gate| async move {
            let mut gate = gate?;
            let frame = match gate.source.next().await? {
                Ok(frame) => frame,
                Err(fault) => return Some((Err(fault), None)),
            };
            gate.came = gate.came.saturating_add(frame.len() as u64);
            if gate.came > gate.held
                && let Err(fault) = gate.hold().await
            {
                gate.no_room.set(fault);
                return Some((Err(SourceError::NoRoom), None));
            }
            Some((Ok(frame), Some(gate)))
        });
        (Box::pin(source), no_room)
    }

    /// What becomes of an upload for which there was no room: what is staged of it would only take room from others.
    pub(super) async fn refused(&self, upload: &Upload, fault: StoreError) -> Error {
        if matches!(fault, StoreError::OverQuota(_)) {
            self.drop_upload(upload).await;
        }
        fault.into()
    }
}
