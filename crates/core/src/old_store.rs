//! The seam to what another registry left: folders and small files to look through, and blobs that stay where they are.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{ByteRange, Digest};

use crate::StoreError;
use crate::blobs::{Content, ReadError};

/// Where the distribution project's registries keep everything, below the folder or prefix that they are given.
const ROOT: &str = "docker/registry/v2";

/// The longest path in bytes: that of a tag's link in the longest repository is half as long.
const LONGEST: usize = 1024;

/// A place in the other registry's store: components between slashes, of which none leads out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldPath(String);

impl OldPath {
    /// What everything lies below.
    #[must_use]
    pub fn root() -> Self {
        Self(ROOT.to_owned())
    }

    /// The folder of the repositories.
    #[must_use]
    pub fn repositories() -> Self {
        Self(format!("{ROOT}/repositories"))
    }

    /// Where a blob's bytes are.
    #[must_use]
    pub fn of_blob(digest: &Digest) -> Self {
        let hex = digest.hex();
        Self(format!("{ROOT}/blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2]))
    }

    /// What lies below under a name of one or more components. `None` where a component is empty, `.` or `..`, or has
    /// a character that ends names; and where the path gets too long.
    #[must_use]
    pub fn join(&self, name: &str) -> Option<Self> {
        let plain =
            |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\n', '\\']);
        let path = format!("{}/{name}", self.0);
        (name.split('/').all(plain) && path.len() <= LONGEST).then_some(Self(path))
    }

    /// The path, without a slash before it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What something in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldKind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// Something else, said in a word: nobody follows or opens it.
    Other(&'static str),
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldEntry {
    /// Its name; what is no text in it is replaced.
    pub name: String,
    /// What it is.
    pub kind: OldKind,
}

/// The store of a registry of the distribution project, Harbor's included, as it lies in a folder or a bucket.
///
/// [`StoreError::Corrupt`] says that what lies there cannot be used (no rights, a link, no file where one should be),
/// so that asking again will not help; any other fault passes. No link is followed, and nothing outside is read.
#[async_trait]
pub trait OldStore: Send + Sync + 'static {
    /// What a folder holds, in byte order of its names; nothing where there is no such folder.
    async fn list(&self, folder: &OldPath) -> Result<Vec<OldEntry>, StoreError>;

    /// A file's bytes, where it has no more than `limit` of them. `None` where there is none.
    async fn small_file(&self, path: &OldPath, limit: usize) -> Result<Option<Bytes>, StoreError>;

    /// The size of a blob in bytes; `None` where there is none.
    async fn head(&self, digest: &Digest) -> Result<Option<u64>, StoreError>;

    /// Reads a blob, or the part of it that `range` covers. That its bytes are the digest's is for who asks to find out.
    async fn read(&self, digest: &Digest, range: Option<ByteRange>) -> Result<Content, ReadError>;

    /// Deletes a blob, if it is there. Only a collector does, and only of blobs that were adopted.
    async fn delete(&self, digest: &Digest) -> Result<(), StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wharf_oci::{Algorithm, Hasher};

    use super::*;

    #[test]
    fn no_name_leads_out() {
        let root = OldPath::root();
        for name in ["", ".", "..", "a/../b", "a//b", "/a", "a/", "a\0", "a\\b", "a\nb"] {
            assert_eq!(root.join(name), None, "{name:?}");
        }
        assert_eq!(root.join(&"a/".repeat(600)), None);
        assert_eq!(root.join("a/b..c").unwrap().as_str(), "docker/registry/v2/a/b..c");
    }

    #[test]
    fn a_blob_lies_under_its_digest() {
        let digest = Hasher::digest(Algorithm::Sha256, b"");
        let hex = digest.hex();
        let path = format!("docker/registry/v2/blobs/sha256/e3/{hex}/data");
        assert_eq!(OldPath::of_blob(&digest).as_str(), path);
    }
}
