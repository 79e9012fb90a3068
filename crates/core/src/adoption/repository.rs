//! One repository, gone through: images first, then indexes of what is there by then, tags last.

use std::collections::HashSet;

use wharf_oci::{Digest, Manifest, RepositoryName, Tag};

use super::fault::{Fault, Piece, Stop, piece, shown};
use super::layout::{self, Layout};
use super::shortage::{Need, Shortage};
use super::target::{Read, Tallied, Target};
use crate::metadata::Finding;
use crate::old_store::OldStore;

/// How many manifests are asked for at once.
const BATCH: usize = 200;

/// How deep indexes may lie in each other.
const DEEPEST: usize = 16;

/// The subject of the line that tells of a quota.
const QUOTA: &str = "quota";

/// A repository under way.
pub(super) struct Passage<'a, T> {
    store: &'a dyn OldStore,
    layout: Layout<'a>,
    name: RepositoryName,
    target: &'a mut T,
    max_manifest_size: u64,
    /// What was left out before, in this adoption.
    left_out: HashSet<String>,
    /// The manifests that are here.
    here: HashSet<Digest>,
    tags: u64,
    /// Set by the first manifest that a quota had no room for: no more are taken then, so that none is read and hashed in vain.
    shortage: Option<Shortage>,
}

impl<'a, T: Target> Passage<'a, T> {
    /// Goes through the repository in the folder `path`.
    pub(super) async fn go(
        store: &'a dyn OldStore,
        target: &'a mut T,
        path: &str,
        max_manifest_size: u64,
        left_out: HashSet<String>,
    ) -> Result<Tallied, Stop> {
        let named = path.parse::<RepositoryName>().map_err(|error| error.to_string());
        let layout = Layout::of(store, path).ok_or_else(|| "its path is too long".to_owned());
        let (name, layout) = match named.and_then(|name| Ok((name, layout?))) {
            Ok(good) => good,
            Err(reason) => {
                let finding =
                    Finding { repository: shown(path), subject: "repository".into(), reason };
                target.found(finding).await?;
                return Ok(Tallied { left_out: 1, ..Tallied::default() });
            }
        };
        let (here, tags, shortage) = (HashSet::new(), 0, None);
        let mut passage =
            Self { store, layout, name, target, max_manifest_size, left_out, here, tags, shortage };
        passage.manifests().await?;
        if let Some(shortage) = &passage.shortage {
            let reason = shortage.to_string();
            passage.leave(QUOTA.into(), reason).await?;
        }
        passage.take_tags().await?;
        let lines = passage.left_out.iter().filter(|subject| *subject != QUOTA).count() as u64;
        Ok(Tallied {
            manifests: passage.here.len() as u64,
            tags: passage.tags,
            left_out: lines + passage.shortage.map_or(0, |shortage| shortage.manifests()),
        })
    }

    async fn manifests(&mut self) -> Result<(), Stop> {
        let mut digests = Vec::new();
        match piece(self.layout.revisions().await)? {
            Ok(listed) => {
                for one in listed {
                    match one {
                        Ok(digest) => digests.push(digest),
                        Err((name, reason)) => {
                            self.leave(format!("manifest {name}"), reason).await?;
                        }
                    }
                }
            }
            Err(reason) => return self.leave("manifests".into(), reason).await,
        }
        let mut indexes = Vec::new();
        for batch in digests.chunks(BATCH) {
            let held = self.target.held(&self.name, batch).await?;
            for digest in batch {
                if held.contains(digest) {
                    self.here.insert(*digest);
                } else if !self.left_out.contains(&subject(digest)) {
                    self.image(digest, &mut indexes).await?;
                }
            }
        }
        self.indexes(indexes).await
    }

    /// Adopts a manifest, but for an index, which comes later.
    async fn image(&mut self, digest: &Digest, indexes: &mut Vec<Digest>) -> Result<(), Stop> {
        match self.read(digest).await? {
            Ok(None) => Ok(()),
            Ok(Some(read)) if read.manifest.media_type.is_index() => {
                indexes.push(*digest);
                Ok(())
            }
            Ok(Some(read)) => self.adopt(read).await,
            Err(reason) => self.leave(subject(digest), reason).await,
        }
    }

    /// Adopts indexes, each once what it names is here; what nothing helps is left out.
    async fn indexes(&mut self, mut waiting: Vec<Digest>) -> Result<(), Stop> {
        for round in 1.. {
            let (before, mut later) = (waiting.len(), Vec::new());
            for digest in waiting {
                match self.read(&digest).await? {
                    Ok(None) => {}
                    Ok(Some(read)) => match self.missing_child(&read.manifest) {
                        None => self.adopt(read).await?,
                        Some(child) => later.push((digest, child)),
                    },
                    Err(reason) => self.leave(subject(&digest), reason).await?,
                }
            }
            if later.len() == before || round == DEEPEST {
                for (digest, child) in later {
                    let reason = format!("the manifest {child} that it names is not here");
                    self.leave(subject(&digest), reason).await?;
                }
                return Ok(());
            }
            waiting = later.into_iter().map(|(digest, _)| digest).collect();
        }
        Ok(())
    }

    fn missing_child(&self, index: &Manifest) -> Option<Digest> {
        let mut children = index.children().iter().map(|child| child.digest);
        children.find(|child| !self.here.contains(child))
    }

    /// Reads a manifest; nothing where it was deleted in the other registry.
    async fn read(&self, digest: &Digest) -> Result<Piece<Option<Read>>, Stop> {
        let read = async {
            if !self.layout.has_revision(digest).await? {
                return Ok(None);
            }
            let payload = layout::manifest(self.store, digest, self.max_manifest_size).await?;
            let manifest = Manifest::parse(&payload, None)
                .map_err(|error| Fault::Bad(shown(&error.to_string())))?;
            Ok(Some(Read { digest: *digest, payload, manifest }))
        };
        piece(read.await)
    }

    /// Adopts a manifest, if there is room.
    async fn adopt(&mut self, read: Read) -> Result<(), Stop> {
        let need = Need::of(&read);
        if self.shortage.is_none() {
            match self.take(read).await {
                Err(Stop::OverQuota(refused)) => self.shortage = Some(Shortage::new(refused)),
                taken => return taken,
            }
        }
        if let Some(shortage) = &mut self.shortage {
            shortage.add(need);
        }
        Ok(())
    }

    /// Takes a manifest with the blobs that it names.
    async fn take(&mut self, read: Read) -> Result<(), Stop> {
        let digest = read.digest;
        let blobs = read.manifest.blobs().filter(|blob| !blob.is_non_distributable());
        let blobs: Vec<_> = blobs.map(|blob| blob.digest).collect();
        for blob in blobs {
            if let Err(reason) = self.take_blob(&blob).await? {
                let reason = format!("its blob {blob}: {reason}");
                return self.leave(subject(&digest), reason).await;
            }
        }
        match self.target.manifest(&self.name, read).await? {
            Ok(()) => {
                self.here.insert(digest);
                Ok(())
            }
            Err(reason) => self.leave(subject(&digest), reason).await,
        }
    }

    async fn take_blob(&mut self, digest: &Digest) -> Result<Piece<()>, Stop> {
        match piece(self.layout.has_blob(digest).await)? {
            Ok(true) => self.target.blob(&self.name, digest).await,
            Ok(false) => Ok(Err("the repository does not hold it".into())),
            Err(reason) => Ok(Err(reason)),
        }
    }

    async fn take_tags(&mut self) -> Result<(), Stop> {
        let listed = match piece(self.layout.tags().await)? {
            Ok(listed) => listed,
            Err(reason) => return self.leave("tags".into(), reason).await,
        };
        for one in listed {
            let (name, reason) = match one {
                Ok(name) => match self.take_tag(&name).await? {
                    Ok(()) => continue,
                    Err(reason) => (shown(&name), reason),
                },
                Err(bad) => bad,
            };
            self.leave(format!("tag {name}"), reason).await?;
        }
        Ok(())
    }

    async fn take_tag(&mut self, name: &str) -> Result<Piece<()>, Stop> {
        let tag = match name.parse::<Tag>() {
            Ok(tag) => tag,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let digest = match piece(self.layout.tag(name).await)? {
            Ok(Some(digest)) => digest,
            Ok(None) => return Ok(Ok(())),
            Err(reason) => return Ok(Err(reason)),
        };
        if !self.here.contains(&digest) {
            return Ok(Err(format!("its manifest {digest} is not here")));
        }
        let taken = match self.target.tag(&self.name, tag, &digest).await {
            Err(Stop::OverQuota(refused)) => return Ok(Err(refused.to_string())),
            taken => taken?,
        };
        self.tags += u64::from(taken.is_ok());
        Ok(taken)
    }

    /// Leaves something out, and says why, once in an adoption.
    async fn leave(&mut self, subject: String, reason: String) -> Result<(), Stop> {
        if self.left_out.insert(subject.clone()) {
            let repository = self.name.to_string();
            self.target.found(Finding { repository, subject, reason }).await?;
        }
        Ok(())
    }
}

fn subject(digest: &Digest) -> String {
    format!("manifest {digest}")
}
