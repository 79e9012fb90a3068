//! Where things lie in the bucket.
//!
//! ```text
//! <prefix>/objects/sha256/ab/cd/abcd…[.N]   an object: written once, never changed
//! <prefix>/staging/<upload>/<name>          what an upload has staged: its tail, or all of it in one
//! <prefix>/probes/<name>                    written, read and deleted by a check
//! ```
//!
//! Names under `staging` and `probes` are 128 random bits, so that nobody can guess one and no two appends share one.

use object_store::path::Path;
use wharf_core::UploadId;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::{Random, SystemRandom};

/// The random name of a staged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub [u8; 16]);

impl Name {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes);
        Self(bytes)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The paths below one prefix.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    prefix: String,
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        let slash = if prefix.is_empty() { "" } else { "/" };
        Self { prefix: format!("{prefix}{slash}") }
    }

    /// Everything of this store begins so: empty, or with a `/` at its end.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn object(&self, key: &ObjectKey) -> Path {
        Path::from(format!("{}objects/{key}", self.prefix))
    }

    /// The folder of all uploads.
    pub(super) fn staging(&self) -> Path {
        Path::from(format!("{}staging", self.prefix))
    }

    /// The folder of an upload.
    pub(super) fn upload(&self, upload: &UploadId) -> Path {
        Path::from(format!("{}staging/{upload}", self.prefix))
    }

    pub(super) fn staged(&self, upload: &UploadId, name: Name) -> Path {
        Path::from(format!("{}staging/{upload}/{name}", self.prefix))
    }

    /// The folder of the checks' objects.
    pub(super) fn probes(&self) -> Path {
        Path::from(format!("{}probes", self.prefix))
    }

    pub(super) fn probe(&self, name: Name) -> Path {
        Path::from(format!("{}probes/{name}", self.prefix))
    }

    /// The upload whose folder a path is in.
    pub(super) fn upload_of(&self, path: &str) -> Option<UploadId> {
        let rest = path.strip_prefix(&self.prefix)?.strip_prefix("staging/")?;
        rest.split_once('/')?.0.parse().ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_found_by_a_path_of_its_folder_only() {
        let upload = UploadId::random(&SystemRandom);
        for layout in [Layout::new("w/x"), Layout::new("")] {
            let path = layout.staged(&upload, Name::random());
            assert_eq!(layout.upload_of(path.as_ref()), Some(upload));
            assert_eq!(layout.upload_of(layout.upload(&upload).as_ref()), None);
            assert_eq!(layout.upload_of(layout.probe(Name::random()).as_ref()), None);
        }
        let path = Layout::new("w").staged(&upload, Name::random());
        assert_eq!(Layout::new("w/x").upload_of(path.as_ref()), None);
    }
}
