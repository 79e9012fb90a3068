//! Choosing the image of one platform from an index.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use wharf_oci::{Descriptor, Kind, Manifest, Platform};

use crate::verify::check_manifest;
use crate::{Error, MAX_MANIFEST, Source};

/// A platform: `os/architecture` or `os/architecture/variant`, in Go's words, such as `linux/arm64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformChoice {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no platform; write OS/ARCHITECTURE, such as linux/amd64 or linux/arm/v7")]
pub struct PlatformError(String);

impl FromStr for PlatformChoice {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let bad = || PlatformError(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(bad());
        }
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some((*variant).to_owned())),
            _ => return Err(bad()),
        };
        Ok(Self { os: (*os).to_owned(), architecture: (*architecture).to_owned(), variant })
    }
}

impl fmt::Display for PlatformChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant =
            self.variant.as_ref().map_or_else(String::new, |variant| format!("/{variant}"));
        write!(formatter, "{}/{}{variant}", self.os, self.architecture)
    }
}

impl PlatformChoice {
    fn allows(&self, platform: &Platform) -> bool {
        platform.os == self.os
            && platform.architecture == self.architecture
            && self.variant.as_ref().is_none_or(|wanted| platform.variant.as_ref() == Some(wanted))
    }
}

/// The image of one platform under `root`: the first that an index names for it, or `root` itself where it is one.
pub(super) async fn select(
    source: &dyn Source,
    root: &Descriptor,
    wanted: &PlatformChoice,
) -> Result<Descriptor, Error> {
    let bytes = source.manifest(root).await?;
    check_manifest(root, &bytes)?;
    let manifest =
        Manifest::parse(&bytes, Some(&root.media_type)).map_err(Error::manifest(root.digest))?;
    let found = match &manifest.kind {
        Kind::Index { manifests } => {
            let allows =
                |child: &&Descriptor| child.platform.as_ref().is_some_and(|p| wanted.allows(p));
            if let Some(child) = manifests.iter().find(allows) {
                return Ok(child.clone());
            }
            manifests.iter().filter_map(|child| child.platform.clone()).collect()
        }
        Kind::Image { config, .. } => {
            let platform = of_config(source, config).await?;
            if platform.as_ref().is_some_and(|platform| wanted.allows(platform)) {
                return Ok(root.clone());
            }
            platform.into_iter().collect::<Vec<Platform>>()
        }
    };
    let names: Vec<String> = found.iter().map(name_of).collect();
    let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let reason = format!("has no image for {wanted}; its platforms are: {has}");
    Err(Error::Choice { place: source.place(), reason })
}

fn name_of(platform: &Platform) -> String {
    let variant = platform.variant.as_ref().map_or_else(String::new, |text| format!("/{text}"));
    crate::error::printable(&format!("{}/{}{variant}", platform.os, platform.architecture))
}

/// The platform in an image's configuration.
async fn of_config(source: &dyn Source, config: &Descriptor) -> Result<Option<Platform>, Error> {
    #[derive(Deserialize)]
    struct Config {
        os: Option<String>,
        architecture: Option<String>,
        variant: Option<String>,
    }
    let bytes = crate::verified_bytes(source, config, MAX_MANIFEST).await?;
    let Ok(Config { os: Some(os), architecture: Some(architecture), variant }) =
        serde_json::from_slice(&bytes)
    else {
        return Ok(None);
    };
    Ok(Some(Platform { architecture, os, variant }))
}
