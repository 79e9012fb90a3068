//! The repositories of another registry, one after the other, from any place on.

use std::cmp::Ordering;

use super::fault::shown;
use crate::StoreError;
use crate::old_store::{OldEntry, OldKind, OldPath, OldStore};

/// The folder that makes its folder a repository.
const MANIFESTS: &str = "_manifests";

/// What the walk comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stage {
    /// The folder, below that of the repositories.
    pub(super) path: String,
    /// Why it cannot be looked into; a repository where it can.
    pub(super) problem: Option<String>,
}

/// A walk, depth first and in byte order of the names' components. It holds the names of the folders that it is in.
pub(super) struct Walk {
    levels: Vec<(String, std::vec::IntoIter<OldEntry>)>,
    after: Option<String>,
}

impl Walk {
    /// Begins behind `after`, which need not be there any more.
    pub(super) async fn begin(
        store: &dyn OldStore,
        after: Option<String>,
    ) -> Result<Self, StoreError> {
        let top = store.list(&OldPath::repositories()).await?;
        Ok(Self { levels: vec![(String::new(), top.into_iter())], after })
    }

    /// The next repository, or the next thing that is none and no folder of one.
    pub(super) async fn next(&mut self, store: &dyn OldStore) -> Result<Option<Stage>, StoreError> {
        while let Some((prefix, entries)) = self.levels.last_mut() {
            let Some(entry) = entries.next() else {
                self.levels.pop();
                continue;
            };
            // The registry's own: `_layers`, `_manifests`, `_uploads`.
            if entry.name.starts_with('_') {
                continue;
            }
            let path = match prefix.as_str() {
                "" => entry.name.clone(),
                prefix => format!("{prefix}/{}", entry.name),
            };
            let place = Place::of(&path, self.after.as_deref());
            if place == Place::Passed {
                continue;
            }
            let stage = self.look(store, path, entry.kind).await?;
            if let Some(stage) = stage.filter(|_| place == Place::Ahead) {
                return Ok(Some(stage));
            }
        }
        Ok(None)
    }

    /// Goes into a folder. Returns what there is to say of it.
    async fn look(
        &mut self,
        store: &dyn OldStore,
        path: String,
        kind: OldKind,
    ) -> Result<Option<Stage>, StoreError> {
        let problem = |path: String, problem: String| {
            Ok(Some(Stage { path: shown(&path), problem: Some(problem) }))
        };
        match kind {
            OldKind::Folder => {}
            OldKind::File => {
                return problem(path, "it is a file among folders of repositories".into());
            }
            OldKind::Other(what) => return problem(path, format!("it is {what}: not followed")),
        }
        let Some(folder) = OldPath::repositories().join(&path) else {
            return problem(path, "its name is too long or leads elsewhere".into());
        };
        match store.list(&folder).await {
            Ok(entries) => {
                let is_repository = entries
                    .iter()
                    .any(|entry| entry.name == MANIFESTS && entry.kind == OldKind::Folder);
                self.levels.push((path.clone(), entries.into_iter()));
                Ok(is_repository.then_some(Stage { path, problem: None }))
            }
            Err(StoreError::Corrupt(reason)) => problem(path, reason),
            Err(error) => Err(error),
        }
    }
}

/// Where a folder is, seen from the one that was gone through last.
#[derive(PartialEq, Eq)]
enum Place {
    /// Before it, with all that is in it.
    Passed,
    /// It, or a folder around it: what is in it may lie ahead.
    Around,
    /// Behind it.
    Ahead,
}

impl Place {
    fn of(path: &str, after: Option<&str>) -> Self {
        let Some(after) = after else { return Self::Ahead };
        match path.split('/').cmp(after.split('/')) {
            Ordering::Greater => Self::Ahead,
            Ordering::Equal => Self::Around,
            Ordering::Less => {
                let within = after.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
                if within { Self::Around } else { Self::Passed }
            }
        }
    }
}
