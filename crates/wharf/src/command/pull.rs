//! `wharf pull`: an image from a registry goes to an OCI layout, in a folder or a tar.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use wharf_client::{
    Client, Destination, ImageAddress, LayoutArchiveWriter, LayoutFolderWriter, PlatformChoice,
    RegistrySource, Source as _, Transfer,
};
use wharf_oci::Tag;

use super::client::{self, Connection, Copying};
use super::{copy, progress};

/// The arguments of `wharf pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// The image
    #[arg(value_name = "HOST/REPO[:TAG|@DIGEST]")]
    source: ImageAddress,
    /// An OCI layout folder, made or added to, or a new file that ends in .tar; by default the folder ./NAME
    #[arg(value_name = "DEST")]
    destination: Option<PathBuf>,
    /// Pull only the image for one platform, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", conflicts_with = "all_tags")]
    platform: Option<PlatformChoice>,
    /// Pull every image that has a tag
    #[arg(long)]
    all_tags: bool,
    /// Pull what the tag stood at at this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "all_tags")]
    as_of: Option<jiff::Timestamp>,
    #[command(flatten)]
    copying: Copying,
    #[command(flatten)]
    connection: Connection,
}

/// Pulls.
pub fn execute(command: &Pull) -> anyhow::Result<()> {
    let from = &command.source;
    if command.all_tags && (from.tag.is_some() || from.digest.is_some()) {
        bail!("with --all-tags every tag is pulled; name the repository without one");
    }
    let client = command.connection.client(&from.host)?;
    client::run(&client, pull(command, &client))
}

/// The folder named like the image.
fn default_destination(from: &ImageAddress) -> PathBuf {
    let name = from.repository.as_str();
    Path::new(".").join(name.rsplit('/').next().unwrap_or(name))
}

async fn pull(command: &Pull, client: &Client) -> anyhow::Result<()> {
    let from = &command.source;
    let source = match command.all_tags {
        true => RegistrySource::all_tags(client.registry(&from.host).repository(&from.repository)),
        false => client::source(client, from, command.as_of)?,
    };
    let roots = source.roots().await?;
    if roots.is_empty() {
        bail!("{} has no tags", source.place());
    }
    let path = command.destination.clone().unwrap_or_else(|| default_destination(from));
    let is_tar = path.extension().is_some_and(|extension| extension == "tar");
    let destination: Box<dyn Destination> = match is_tar {
        true => Box::new(LayoutArchiveWriter::create(&path)?),
        false => Box::new(LayoutFolderWriter::create(&path)?),
    };
    let transfer = Transfer::new(&source, destination.as_ref())
        .progress(progress::on_stderr())
        .jobs(command.copying.jobs)
        .referrers(command.copying.referrers)
        .platform(command.platform.clone());
    let mut summaries = Vec::new();
    for root in roots {
        let mut tags: Vec<Tag> = root.tags();
        if tags.is_empty() {
            tags.extend(from.tag.clone());
        }
        let summary = transfer.copy(&root.descriptor, &tags).await?;
        summaries.push((tags, summary));
    }
    destination.finish().await?;
    for (tags, summary) in summaries {
        copy::tell(&path.display().to_string(), &tags, &summary, command.copying.json)?;
    }
    Ok(())
}
