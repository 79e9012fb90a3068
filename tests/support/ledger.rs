//! What one writer knows of its repository: what was acknowledged, and what was under way.

use std::collections::{BTreeMap, BTreeSet};

use super::registry::{Registry, digest};

/// A write that was sent and whose answer did not arrive (yet).
#[derive(Clone, Debug)]
pub enum Attempt {
    Blob { digest: String },
    WrongBlob { claimed: String },
    Manifest { digest: String, tag: Option<String> },
    DeleteTag { tag: String },
    DeleteManifest { digest: String },
}

/// One writer's account of a repository that nobody else writes to.
#[derive(Default)]
pub struct Ledger {
    pub repository: String,
    /// Acknowledged blobs and their sizes.
    pub blobs: BTreeMap<String, usize>,
    /// Acknowledged manifests and their bytes.
    pub manifests: BTreeMap<String, Vec<u8>>,
    /// Where each tag was last acknowledged to be; `None` is deleted.
    pub tags: BTreeMap<String, Option<String>>,
    /// Digests that must not be served: deleted manifests and blobs refused for their content.
    gone: BTreeSet<String>,
    attempt: Option<Attempt>,
    /// The bytes of the manifest being pushed, the size of the blob being pushed.
    body: Vec<u8>,
    touched: BTreeSet<String>,
}

impl Ledger {
    pub fn of(repository: String) -> Ledger {
        Ledger { repository, ..Ledger::default() }
    }

    /// Notes a write that is about to be sent.
    pub fn begin(&mut self, attempt: Attempt, body: &[u8]) {
        assert!(self.attempt.is_none(), "one write at a time");
        self.body = body.to_vec();
        self.attempt = Some(attempt);
    }

    /// Notes that the write under way was answered: it must hold from now on.
    pub fn acknowledge(&mut self) {
        match self.attempt.take().expect("a write under way") {
            Attempt::Blob { digest } => {
                self.touched.insert(digest.clone());
                self.blobs.insert(digest, self.body.len());
            }
            Attempt::WrongBlob { claimed } => {
                self.touched.insert(claimed.clone());
                self.gone.insert(claimed);
            }
            Attempt::Manifest { digest, tag } => {
                self.touched.insert(digest.clone());
                self.manifests.insert(digest.clone(), self.body.clone());
                if let Some(tag) = tag {
                    self.touched.insert(tag.clone());
                    self.tags.insert(tag, Some(digest));
                }
            }
            Attempt::DeleteTag { tag } => {
                self.touched.insert(tag.clone());
                self.tags.insert(tag, None);
            }
            Attempt::DeleteManifest { digest } => {
                for (tag, _) in self.tags_at(&digest) {
                    self.touched.insert(tag.clone());
                    self.tags.insert(tag, None);
                }
                self.manifests.remove(&digest);
                self.touched.insert(digest.clone());
                self.gone.insert(digest);
            }
        }
    }

    fn tags_at(&self, digest: &str) -> Vec<(String, Option<String>)> {
        let at = |place: &Option<String>| place.as_deref() == Some(digest);
        self.tags
            .iter()
            .filter(|(_, place)| at(place))
            .map(|(t, p)| (t.clone(), p.clone()))
            .collect()
    }

    /// After a crash: finds out whether the write under way took place, as a whole or not at all,
    /// and holds the server to what it shows from now on.
    pub fn settle(&mut self, registry: &Registry) {
        let Some(attempt) = self.attempt.clone() else { return };
        let took_place = match &attempt {
            Attempt::Blob { digest } => self.shows_blob(registry, digest),
            Attempt::WrongBlob { claimed } => {
                assert!(!self.shows_blob(registry, claimed), "{claimed} was never sent");
                true
            }
            Attempt::Manifest { digest, tag } => {
                let known = self.manifests.contains_key(digest);
                let shown = self.shows(registry, digest).is_some();
                let moved = tag.as_ref().map(|tag| self.shows(registry, tag));
                match moved {
                    None => shown,
                    Some(place) if place.as_ref() == Some(digest) => {
                        assert!(shown, "the tag {tag:?} points at a manifest that is not there");
                        true
                    }
                    Some(place) => {
                        let before = self.tags.get(tag.as_ref().unwrap()).cloned().flatten();
                        assert_eq!(place, before, "the tag {tag:?} is at neither end of its move");
                        assert_eq!(shown, known, "{digest} was stored without its tag {tag:?}");
                        false
                    }
                }
            }
            Attempt::DeleteTag { tag } => self.shows(registry, tag).is_none(),
            Attempt::DeleteManifest { digest } => {
                let shown = self.shows(registry, digest).is_some();
                for (tag, _) in self.tags_at(digest) {
                    let there = self.shows(registry, &tag).is_some();
                    assert_eq!(there, shown, "half a delete of {digest}: the tag {tag}");
                }
                !shown
            }
        };
        if took_place {
            self.acknowledge();
        } else {
            self.attempt = None;
        }
    }

    /// Checks what this ledger learnt since the last check.
    pub fn check_recent(&mut self, registry: &Registry) {
        for name in std::mem::take(&mut self.touched) {
            self.check(registry, &name);
        }
    }

    /// Checks everything, and that the server lists exactly the tags that should be there.
    pub fn check_all(&self, registry: &Registry) {
        let names = self.blobs.keys().chain(self.manifests.keys()).chain(self.tags.keys());
        for name in names.chain(&self.gone) {
            self.check(registry, name);
        }
        let target = format!("/v2/{}/tags/list?n=10000", self.repository);
        let listed = registry.get(&target).unwrap();
        let alive = self.tags.iter().filter(|(_, place)| place.is_some());
        let alive: Vec<&str> = alive.map(|(tag, _)| tag.as_str()).collect();
        if listed.status == 200 {
            let listed = listed.json();
            let tags: Vec<&str> = listed["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap())
                .collect();
            assert_eq!(tags, alive, "the tags of {}", self.repository);
        } else {
            assert!(alive.is_empty(), "no list of tags in {}", self.repository);
        }
    }

    fn check(&self, registry: &Registry, name: &str) {
        if let Some(place) = self.tags.get(name) {
            assert_eq!(&self.shows(registry, name), place, "the tag {name}");
        } else if self.manifests.contains_key(name) {
            assert!(
                self.shows(registry, name).is_some(),
                "the acknowledged manifest {name} is lost"
            );
        } else if let Some(size) = self.blobs.get(name) {
            assert!(
                self.shows_blob(registry, name),
                "the acknowledged blob {name} ({size} bytes) is lost"
            );
        } else {
            assert!(self.shows(registry, name).is_none(), "{name} was deleted");
            assert!(!self.shows_blob(registry, name), "{name} was never accepted");
        }
    }

    /// The digest of the manifest under this tag or digest, after checking its bytes and blobs.
    fn shows(&self, registry: &Registry, reference: &str) -> Option<String> {
        let reply = registry.manifest(&self.repository, reference).unwrap();
        if reply.status == 404 {
            return None;
        }
        assert_eq!(reply.status, 200, "{reference}: {}", reply.text());
        let found = digest(&reply.body);
        assert_eq!(reply.header("Docker-Content-Digest"), Some(found.as_str()));
        if reference.starts_with("sha256:") {
            assert_eq!(found, reference, "a manifest with the wrong digest");
        }
        let manifest = reply.json();
        let layers = manifest["layers"].as_array().unwrap();
        for blob in layers.iter().chain([&manifest["config"]]) {
            let blob = blob["digest"].as_str().unwrap();
            assert!(
                self.shows_blob(registry, blob),
                "{reference} needs {blob}, which is not there"
            );
        }
        Some(found)
    }

    fn shows_blob(&self, registry: &Registry, name: &str) -> bool {
        let reply = registry.blob(&self.repository, name).unwrap();
        if reply.status == 404 {
            return false;
        }
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(digest(&reply.body), name, "a blob with the wrong digest");
        true
    }
}
