//! What a command is about, as people write it: `REPO`, `REPO:TAG`, `REPO@DIGEST`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

/// A repository, and what is meant in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag, where one was given.
    pub tag: Option<Tag>,
    /// The digest, where one was given; it decides where both were.
    pub digest: Option<Digest>,
}

impl Named {
    /// The tag, where there must be one and no digest.
    pub fn tag(&self) -> anyhow::Result<&Tag> {
        match self.tag_or_all()? {
            Some(tag) => Ok(tag),
            None => bail!("{self} names no tag; write REPO:TAG"),
        }
    }

    /// The manifest or the tag, where there must be one.
    pub fn reference(&self) -> anyhow::Result<Reference> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Ok(Reference::Digest(*digest)),
            (None, Some(tag)) => Ok(Reference::Tag(tag.clone())),
            (None, None) => {
                bail!("{self} names no tag and no manifest; write REPO:TAG or REPO@DIGEST")
            }
        }
    }

    /// The tag, if one is meant and not all of them.
    pub fn tag_or_all(&self) -> anyhow::Result<Option<&Tag>> {
        if self.digest.is_some() {
            bail!("{self} names a digest, which has no history; write REPO:TAG");
        }
        Ok(self.tag.as_ref())
    }
}

impl FromStr for Named {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (name, tag) = match rest.split_once(':') {
            Some((name, tag)) => (name, Some(tag.parse()?)),
            None => (rest, None),
        };
        let repository = name.parse().with_context(|| {
            format!("{name:?} is no repository; its host is named by --registry")
        })?;
        Ok(Self { repository, tag, digest })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}
