//! `wharf push`: an image from a folder, a tar or another registry goes to a registry.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::Args;
use wharf_client::{
    AddressError, Client, Error, ImageAddress, LayoutFolder, Progress, RegistryDestination,
    RegistrySource, Root, Source, Transfer, choose, open_archive,
};
use wharf_oci::Tag;

use super::client::{self, Connection, Copying};
use super::copy;
use super::progress;

/// What the help tells of `docker save`.
const DOCKER_SAVE: &str = "\
A tar from `docker save` is converted: each image becomes an OCI image whose configuration, and with it its ID, is
kept, and whose layers are compressed with gzip. The same tar always gives the same digests, but not those under
which the image was pulled before. The compressed layers wait in the temporary folder (TMPDIR).";

/// The arguments of `wharf push`.
#[derive(Debug, Args)]
#[command(after_long_help = DOCKER_SAVE)]
pub struct Push {
    /// An OCI layout folder, a tar (of such a folder, or from `docker save`), or the HOST/REPO:TAG of another registry
    #[arg(value_name = "SRC")]
    source: From,
    /// Where to
    #[arg(value_name = "HOST/REPO[:TAG]")]
    destination: ImageAddress,
    /// Which image of a folder or tar with several: its name or tag
    #[arg(long, value_name = "NAME", conflicts_with = "all_tags")]
    image: Option<String>,
    /// A further tag; may be given several times
    #[arg(long = "tag", value_name = "TAG", conflicts_with = "all_tags")]
    tags: Vec<Tag>,
    /// Push every image that has a tag, under its tags
    #[arg(long)]
    all_tags: bool,
    /// Send large layers in one piece, though the registry may take them in parts, side by side
    #[arg(long)]
    no_direct: bool,
    #[command(flatten)]
    copying: Copying,
    #[command(flatten)]
    connection: Connection,
}

/// Where a push takes its images from.
#[derive(Clone, Debug)]
enum From {
    Path(PathBuf),
    Registry(ImageAddress),
}

/// Pushes.
pub fn execute(command: &Push) -> anyhow::Result<()> {
    if command.all_tags
        && (command.destination.tag.is_some() || command.destination.digest.is_some())
    {
        bail!("with --all-tags images keep their tags; name the repository without one");
    }
    let client = command.connection.client(&command.destination.host)?;
    client::run(&client, push(command, &client))
}

impl FromStr for From {
    type Err = String;

    /// A path where there is something or it looks like one; else an address.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        let looks_like_path = text.starts_with(['/', '.', '~']) || text.ends_with(".tar");
        if path.exists() || looks_like_path {
            return Ok(Self::Path(path.to_owned()));
        }
        let address = text.parse();
        address.map(Self::Registry).map_err(|error: AddressError| {
            format!("there is no such file or folder, and as an image in a registry {error}")
        })
    }
}

async fn push(command: &Push, client: &Client) -> anyhow::Result<()> {
    let progress = progress::on_stderr();
    let to = &command.destination;
    let mut registry = client.registry(&to.host);
    if command.no_direct {
        registry = registry.without_direct_uploads();
    }
    let repository = registry.repository(&to.repository);
    let mut destination = RegistryDestination::new(repository);
    let source: Box<dyn Source> = match &command.source {
        From::Path(path) => open(path, command.image.as_deref(), &progress).await?,
        From::Registry(address) => {
            if address.host == to.host {
                destination = destination.mounting_from(address.repository.clone());
            }
            let repository = client.registry(&address.host).repository(&address.repository);
            match command.all_tags {
                true => Box::new(RegistrySource::all_tags(repository)),
                false => Box::new(RegistrySource::new(repository, address.reference())),
            }
        }
    };
    let images = images(command, source.as_ref()).await?;
    let transfer = Transfer::new(source.as_ref(), &destination)
        .progress(progress)
        .jobs(command.copying.jobs)
        .referrers(command.copying.referrers);
    for (root, tags) in images {
        let summary = transfer.copy(&root.descriptor, &tags).await?;
        copy::tell(
            &format!("{}/{}", to.host, to.repository),
            &tags,
            &summary,
            command.copying.json,
        )?;
    }
    Ok(())
}

/// Opens a folder or a tar.
async fn open(
    path: &Path,
    image: Option<&str>,
    progress: &Arc<dyn Progress>,
) -> Result<Box<dyn Source>, Error> {
    if path.is_dir() {
        Ok(Box::new(LayoutFolder::open(path)?))
    } else {
        open_archive(path, image, progress).await
    }
}

/// What to push, under which tags.
async fn images(command: &Push, source: &dyn Source) -> anyhow::Result<Vec<(Root, Vec<Tag>)>> {
    if command.all_tags {
        let roots = source.roots().await?.into_iter().map(|root| (root.tags(), root));
        let tagged: Vec<_> =
            roots.filter(|(tags, _)| !tags.is_empty()).map(|(tags, root)| (root, tags)).collect();
        if tagged.is_empty() {
            bail!("{} has no image with a tag, so --all-tags pushes nothing", source.place());
        }
        return Ok(tagged);
    }
    let to = &command.destination;
    let root = match (choose(source, command.image.as_deref()).await, &to.tag) {
        // Of several images, the one that has the tag already is meant.
        (Err(several @ Error::Choice { .. }), Some(tag)) if command.image.is_none() => {
            choose(source, Some(tag.as_str())).await.or(Err(several))
        }
        (chosen, _) => chosen,
    }
    .map_err(|error| match error {
        Error::Choice { .. } => {
            anyhow!("{error}; say which with --image NAME, or push all with --all-tags")
        }
        error => error.into(),
    })?;
    if let Some(digest) = to.digest.filter(|digest| *digest != root.descriptor.digest) {
        bail!("the image of {} is {}, not {digest}", source.place(), root.descriptor.digest);
    }
    let mut tags: Vec<Tag> = to.tag.iter().cloned().collect();
    if tags.is_empty() && to.digest.is_none() {
        tags = root.tags();
    }
    tags.extend(command.tags.iter().filter(|tag| Some(*tag) != to.tag.as_ref()).cloned());
    if tags.is_empty() && to.digest.is_none() {
        tags.push("latest".parse()?);
    }
    Ok(vec![(root, tags)])
}
