//! Images in tar files: OCI layouts in a tar, read and written, and the choice of what a tar is.

mod entries;
mod layout;
mod scan;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub(crate) use entries::{Entry, TarFile};
pub use layout::LayoutArchive;
pub use writer::LayoutArchiveWriter;

use wharf_oci::{Kind, Manifest};

use crate::layout::{INDEX, LAYOUT};
use crate::{DockerSave, Error, Progress, Source};

/// Opens a tar of images, whichever it is: an OCI layout, or what `docker save` writes. Of the latter, only
/// images called `wanted` are converted, where that is given.
///
/// What Docker 25 and later save is both. It is taken as the layout that it is, byte by byte, unless its layers are
/// not compressed; then it is converted as [`DockerSave`] says.
///
/// # Errors
/// When it is neither, or has entries that no such archive has.
pub async fn open_archive(
    path: &Path,
    wanted: Option<&str>,
    progress: &Arc<dyn Progress>,
) -> Result<Box<dyn Source>, Error> {
    let opened = path.to_owned();
    let tar = tokio::task::spawn_blocking(move || TarFile::open(&opened))
        .await
        .map_err(|error| Error::format(path, format!("cannot be read: {error}")))??;
    let is_layout = tar.find(LAYOUT)?.is_some() && tar.find(INDEX)?.is_some();
    let is_docker = tar.find(crate::docker_save::MANIFEST)?.is_some();
    if is_layout {
        let layout = LayoutArchive::new(tar.clone())?;
        if !is_docker || is_compressed(&layout).await? {
            return Ok(Box::new(layout));
        }
    }
    if is_docker {
        return Ok(Box::new(DockerSave::convert(tar, wanted, progress).await?));
    }
    Err(Error::format(
        path,
        "has neither `index.json` nor `manifest.json`, so it is no OCI layout and not from `docker save`",
    ))
}

/// Whether no image of a layout has a layer that is not compressed.
async fn is_compressed(layout: &LayoutArchive) -> Result<bool, Error> {
    for root in layout.roots().await? {
        let Ok(bytes) = layout.manifest(&root.descriptor).await else { continue };
        let Ok(manifest) = Manifest::parse(&bytes, None) else { continue };
        if let Kind::Image { layers, .. } = &manifest.kind
            && layers.iter().any(|layer| layer.media_type.ends_with(".tar"))
        {
            return Ok(false);
        }
    }
    Ok(true)
}
