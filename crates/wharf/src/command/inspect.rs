//! `wharf inspect`: what an image in a registry is made of.

use std::io::{Write, stdout};

use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value, json};
use wharf_client::{Client, FetchedManifest, ImageAddress, RegistrySource, verified_bytes};
use wharf_oci::{Descriptor, Kind, Manifest};

use super::client::{self, Connection};

/// The largest configuration that is read for its platform, in bytes.
const MAX_CONFIG: usize = 4 << 20;

/// The arguments of `wharf inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The image
    #[arg(value_name = "HOST/REPO[:TAG|@DIGEST]")]
    image: ImageAddress,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Everything told of an image.
struct Facts {
    fetched: FetchedManifest,
    manifest: Manifest,
    /// `os/architecture[/variant]` of an image that is one.
    platform: Option<String>,
    referrers: Vec<Descriptor>,
}

/// Inspects.
pub fn execute(command: &Inspect) -> anyhow::Result<()> {
    let client = command.connection.client(&command.image.host)?;
    let facts = client::run(&client, look(&command.image, &client))?;
    if command.json {
        writeln!(stdout(), "{:#}", facts.to_json())?;
    } else {
        facts.print(&command.image, &mut stdout().lock())?;
    }
    Ok(())
}

async fn look(image: &ImageAddress, client: &Client) -> anyhow::Result<Facts> {
    let repository = client.registry(&image.host).repository(&image.repository);
    let fetched = repository.manifest(&image.reference()).await?;
    let manifest = fetched.parse()?;
    let referrers = repository.referrers(&fetched.descriptor.digest, None).await?;
    let platform = match &manifest.kind {
        Kind::Image { config, .. }
            if is_image_config(config) && config.size <= MAX_CONFIG as u64 =>
        {
            let source = RegistrySource::new(repository, image.reference());
            let bytes = verified_bytes(&source, config, MAX_CONFIG).await?;
            platform_of(&bytes)
        }
        _ => None,
    };
    Ok(Facts { fetched, manifest, platform, referrers })
}

fn is_image_config(config: &Descriptor) -> bool {
    config.media_type == "application/vnd.oci.image.config.v1+json"
        || config.media_type == "application/vnd.docker.container.image.v1+json"
}

fn platform_of(config: &[u8]) -> Option<String> {
    let config: Value = serde_json::from_slice(config).ok()?;
    let text =
        |name: &str| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let variant = text("variant").map_or_else(String::new, |variant| format!("/{variant}"));
    Some(format!("{}/{}{variant}", text("os")?, text("architecture")?))
}

/// The platform in an index.
fn platform_in(descriptor: &Descriptor) -> Option<String> {
    let platform = descriptor.platform.as_ref()?;
    let variant = platform.variant.as_ref().map_or_else(String::new, |text| format!("/{text}"));
    Some(format!("{}/{}{variant}", platform.os, platform.architecture))
}

/// A stranger's text without what could play with the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Facts {
    fn to_json(&self) -> Value {
        let Descriptor { media_type, digest, size, .. } = &self.fetched.descriptor;
        let mut value = json!({
            "mediaType": media_type,
            "digest": digest,
            "size": size,
            "artifactType": self.manifest.artifact_type,
            "subject": self.manifest.subject,
            "annotations": self.manifest.annotations,
            "referrers": self.referrers,
        });
        match &self.manifest.kind {
            Kind::Index { manifests } => value["manifests"] = json!(manifests),
            Kind::Image { config, layers } => {
                value["platform"] = json!(self.platform);
                value["config"] = json!(config);
                value["layers"] = json!(layers);
            }
        }
        value
    }

    fn print(&self, image: &ImageAddress, out: &mut impl Write) -> anyhow::Result<()> {
        let Descriptor { media_type, digest, size, .. } = &self.fetched.descriptor;
        writeln!(out, "{image}")?;
        writeln!(out, "  media type   {}", plain(media_type))?;
        writeln!(out, "  digest       {digest}")?;
        writeln!(out, "  size         {size} bytes")?;
        if let Some(kind) = &self.manifest.artifact_type {
            writeln!(out, "  artifact     {}", plain(kind))?;
        }
        if let Some(subject) = &self.manifest.subject {
            writeln!(out, "  subject      {}", subject.digest)?;
        }
        if let Some(platform) = &self.platform {
            writeln!(out, "  platform     {}", plain(platform))?;
        }
        match &self.manifest.kind {
            Kind::Index { manifests } => {
                writeln!(out, "  manifests")?;
                for one in manifests {
                    let platform = platform_in(one).unwrap_or_else(|| "-".to_owned());
                    writeln!(out, "    {} {:>9}  {}", one.digest, one.size, plain(&platform))?;
                }
            }
            Kind::Image { config, layers } => {
                let total = layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
                writeln!(out, "  config       {}", config.digest)?;
                writeln!(out, "  layers       {} in all", HumanBytes(total))?;
                for layer in layers {
                    let (size, kind) = (HumanBytes(layer.size), plain(&layer.media_type));
                    writeln!(out, "    {} {:>11}  {kind}", layer.digest, size.to_string())?;
                }
            }
        }
        self.print_rest(out)
    }

    fn print_rest(&self, out: &mut impl Write) -> anyhow::Result<()> {
        if !self.manifest.annotations.is_empty() {
            writeln!(out, "  annotations")?;
            for (name, value) in &self.manifest.annotations {
                writeln!(out, "    {} = {}", plain(name), plain(value))?;
            }
        }
        if !self.referrers.is_empty() {
            writeln!(out, "  referrers")?;
            for referrer in &self.referrers {
                let kind = referrer.artifact_type.as_deref().unwrap_or("-");
                writeln!(out, "    {}  {}", referrer.digest, plain(kind))?;
            }
        }
        Ok(())
    }
}
