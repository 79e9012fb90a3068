//! Pins: what keeps a manifest, and all that it needs, whatever tags do.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use wharf_oci::{Digest, Reference, RepositoryName, Tag, TagError};

use crate::StoreError;
use crate::actor::Actor;
use crate::clock::Timestamp;

/// The most pins of one repository.
pub const MOST_PINS: usize = 1000;

/// What a pin is called in its repository: of the form of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinName(Tag);

/// A text that is no name of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a pin is of the form of a tag: {0}")]
pub struct NoPinName(#[from] TagError);

impl PinName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for PinName {
    type Err = NoPinName;

    fn from_str(text: &str) -> Result<Self, NoPinName> {
        Ok(Self(text.parse()?))
    }
}

impl fmt::Display for PinName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Its name.
    pub name: PinName,
    /// The manifest that it keeps.
    pub digest: Digest,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it keeps the manifest; for ever without it.
    pub expires_at: Option<Timestamp>,
}

/// What is pinned: found in the transaction that pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinTarget {
    /// This manifest.
    Digest(Digest),
    /// Where this tag stands, or stood at a time.
    Tag(Tag, Option<Timestamp>),
}

/// Pins a manifest, or has a pin of it last longer.
#[derive(Clone, Debug)]
pub struct PinManifest {
    /// Where.
    pub repository: RepositoryName,
    /// What the pin is called.
    pub name: PinName,
    /// What.
    pub target: PinTarget,
    /// Until when; for ever without it.
    pub until: Option<Timestamp>,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`PinManifest`]. Whatever is not `Pinned` changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinOutcome {
    /// This is the pin now.
    Pinned {
        /// The pin.
        pin: Pin,
        /// Whether there was none of the name before.
        is_new: bool,
    },
    /// There is no such manifest or tag.
    NotFound(Reference),
    /// Where this tag stood then was forgotten: its history is known from this moment on.
    Forgotten(Tag, Timestamp),
    /// The repository does not hold this any more: where the tag stood, or what the manifest needs.
    Gone(Digest),
    /// A rule is against it.
    Refused(NoPin),
}

/// Why something is not pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPin {
    /// The name is that of a pin of another manifest.
    #[error("the pin of that name keeps {0}; unpin that first, or take another name")]
    Taken(Digest),
    /// It would last shorter than it does.
    #[error("the pin lasts longer already; unpin it first")]
    LastsLonger,
    /// It would have ended already.
    #[error("a pin must end at a time to come")]
    Past,
    /// The time at which the tag is looked for is still to come.
    #[error("that time is still to come")]
    ToCome,
    /// There are [`MOST_PINS`].
    #[error("a repository has at most {MOST_PINS} pins; unpin what need not be kept")]
    Full,
}

/// Takes a pin away.
#[derive(Clone, Debug)]
pub struct UnpinManifest {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub name: PinName,
    /// Who asks.
    pub by: Actor,
}

/// A pin that keeps a manifest from being deleted: of it, or of one that needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBy {
    /// The pin.
    pub pin: PinName,
    /// What is pinned.
    pub digest: Digest,
}

/// The pins. Those that have expired are none.
#[async_trait]
pub trait Pins: Send + Sync + 'static {
    /// Pins a manifest.
    async fn pin_manifest(&self, pin: PinManifest) -> Result<PinOutcome, StoreError>;

    /// Takes a pin away; whether there was one.
    async fn unpin_manifest(&self, unpin: UnpinManifest) -> Result<bool, StoreError>;

    /// The first `limit` pins after `after`, in the order of their names; `None` when there is no such repository.
    async fn list_pins(
        &self,
        repository: RepositoryName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<Vec<Pin>>, StoreError>;
}
