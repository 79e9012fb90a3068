//! `wharf copy`: an image goes from one registry to another, or within one.

use std::io::{Write as _, stdout};

use clap::Args;
use serde_json::json;
use wharf_client::{
    Client, Destination as _, ImageAddress, PlatformChoice, RegistryDestination, Source as _,
    Summary, Transfer,
};
use wharf_oci::Tag;

use super::client::{self, Connection, Copying};
use super::progress;

/// The arguments of `wharf copy`. A name and password on the command line are for the destination.
#[derive(Debug, Args)]
pub struct Copy {
    /// The image
    #[arg(value_name = "HOST/REPO[:TAG|@DIGEST]")]
    source: ImageAddress,
    /// Where to; without a tag, the source's
    #[arg(value_name = "HOST/REPO[:TAG]")]
    destination: ImageAddress,
    /// Copy only the image for one platform, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<PlatformChoice>,
    /// Send large layers in one piece, though the registry may take them in parts, side by side
    #[arg(long)]
    no_direct: bool,
    /// Copy what the source's tag stood at at this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    as_of: Option<jiff::Timestamp>,
    #[command(flatten)]
    copying: Copying,
    #[command(flatten)]
    connection: Connection,
}

/// Copies.
pub fn execute(command: &Copy) -> anyhow::Result<()> {
    if command.destination.digest.is_some() {
        anyhow::bail!("{} has a digest; what is copied keeps its own", command.destination);
    }
    let client = command.connection.client(&command.destination.host)?;
    client::run(&client, copy(command, &client))
}

async fn copy(command: &Copy, client: &Client) -> anyhow::Result<()> {
    let (from, to) = (&command.source, &command.destination);
    let source = client::source(client, from, command.as_of)?;
    let mut registry = client.registry(&to.host);
    if command.no_direct {
        registry = registry.without_direct_uploads();
    }
    let repository = registry.repository(&to.repository);
    let mut destination = RegistryDestination::new(repository);
    if from.host == to.host {
        destination = destination.mounting_from(from.repository.clone());
    }
    let transfer = Transfer::new(&source, &destination)
        .progress(progress::on_stderr())
        .jobs(command.copying.jobs)
        .referrers(command.copying.referrers)
        .platform(command.platform.clone());
    for root in source.roots().await? {
        let tags: Vec<Tag> = match (&to.tag, &from.tag) {
            (Some(tag), _) | (None, Some(tag)) => vec![tag.clone()],
            (None, None) => root.tags(),
        };
        let summary = transfer.copy(&root.descriptor, &tags).await?;
        tell(&format!("{}/{}", to.host, to.repository), &tags, &summary, command.copying.json)?;
    }
    destination.finish().await?;
    Ok(())
}

/// Tells on stdout what is at `place` now.
pub fn tell(place: &str, tags: &[Tag], summary: &Summary, as_json: bool) -> anyhow::Result<()> {
    let Summary { root, manifests, copied, copied_bytes, held, mounted, left_out } = summary;
    let mut out = stdout().lock();
    if as_json {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        let value = json!({
            "destination": place,
            "tags": tags,
            "digest": root.digest,
            "mediaType": root.media_type,
            "size": root.size,
            "manifests": manifests,
            "blobs": { "copied": copied, "held": held, "mounted": mounted, "leftOut": left_out },
            "copiedBytes": copied_bytes,
        });
        writeln!(out, "{value}")?;
    } else if tags.is_empty() {
        writeln!(out, "{place}@{}", root.digest)?;
    } else {
        for tag in tags {
            writeln!(out, "{place}:{tag}@{}", root.digest)?;
        }
    }
    Ok(())
}
