//! What a node believes without asking anyone, and for how long.

use std::time::Duration;

use wharf_core::cache::Key;
use wharf_oci::{NamePattern, Reference};

/// How long a digest is believed to be held.
const DIGESTS: Duration = Duration::from_secs(10);

/// What is believed. A digest never means anything else, so what can become untrue is that the repository holds it;
/// a tag can move.
#[derive(Clone, Debug)]
pub struct Beliefs {
    /// Repositories whose tags may be served without asking.
    pub eventual: Vec<NamePattern>,
    /// For how long.
    pub eventual_life: Duration,
}

impl Beliefs {
    /// For how long a value of that key is believed.
    pub(crate) fn of(&self, key: &Key) -> Duration {
        match key {
            Key::Manifest(repository, Reference::Tag(_)) => {
                let eventual = self.eventual.iter().any(|pattern| pattern.matches(repository));
                if eventual { self.eventual_life } else { Duration::ZERO }
            }
            Key::Manifest(_, Reference::Digest(_)) | Key::Blob(..) => DIGESTS,
        }
    }
}
