//! All repositories, gone through one after the other.

use wharf_oci::{NamePattern, RepositoryName};

use super::fault::Stop;
use super::repository::Passage;
use super::target::{Tallied, Target};
use super::walk::{Stage, Walk};
use crate::StoreError;
use crate::metadata::Finding;
use crate::old_store::OldStore;

/// Which repositories, and what is taken of them.
pub(super) struct Journey<'a> {
    pub(super) store: &'a dyn OldStore,
    /// Only these; all of them without one.
    pub(super) only: Option<&'a NamePattern>,
    /// The largest manifest in bytes.
    pub(super) max_manifest_size: u64,
}

impl Journey<'_> {
    /// How many repositories there are to go through.
    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        let mut walk = Walk::begin(self.store, None).await?;
        let mut count = 0;
        while let Some(stage) = walk.next(self.store).await? {
            count += u64::from(self.is_meant(&stage));
        }
        Ok(count)
    }

    /// Goes through all behind `after`.
    pub(super) async fn go<T: Target>(
        &self,
        target: &mut T,
        after: Option<String>,
    ) -> Result<(), Stop> {
        let mut walk = Walk::begin(self.store, after).await?;
        while let Some(stage) = walk.next(self.store).await? {
            if !self.is_meant(&stage) {
                continue;
            }
            let Stage { path, problem } = stage;
            let left_out = target.begin(&path).await?;
            let tallied = match problem {
                None => {
                    let largest = self.max_manifest_size;
                    Passage::go(self.store, target, &path, largest, left_out).await?
                }
                Some(reason) => {
                    let (repository, subject) = (path.clone(), "folder".to_owned());
                    target.found(Finding { repository, subject, reason }).await?;
                    Tallied { left_out: 1, ..Tallied::default() }
                }
            };
            target.done(&path, tallied).await?;
        }
        Ok(())
    }

    /// Where only some are asked for, names that none of these could have are passed over.
    fn is_meant(&self, stage: &Stage) -> bool {
        self.only.is_none_or(|only| {
            stage.path.parse::<RepositoryName>().is_ok_and(|name| only.matches(&name))
        })
    }
}
