//! OCI image layouts in folders (image-spec, image-layout.md): read, and written.

mod files;
mod folder;
mod index;
mod writer;

pub(crate) use files::{PIECE, Place, read_range, write_blob};
pub use folder::LayoutFolder;
pub(crate) use folder::referrers_in;
pub(crate) use index::{INDEX, LAYOUT, LAYOUT_CONTENT, LayoutIndex, check_layout};
pub use writer::LayoutFolderWriter;

use wharf_oci::Digest;

/// Where a blob lies in a layout. Made of a digest, it leads nowhere else.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
