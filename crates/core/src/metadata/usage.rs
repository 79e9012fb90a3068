//! Usage and quotas: how much a namespace or a repository holds, how much it may, and what is said where that is not enough.

use std::fmt;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName};

use crate::StoreError;
use crate::blobs::ObjectKey;
use crate::permissions::AccountName;

/// What usage is counted for and quotas are set on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All repositories of a namespace together.
    Namespace(AccountName),
    /// One repository.
    Repository(RepositoryName),
}

/// `the namespace acme`, `the repository acme/app`
impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => write!(formatter, "the namespace {name}"),
            Self::Repository(name) => write!(formatter, "the repository {name}"),
        }
    }
}

/// How much a scope may hold; as much as it likes of what has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of blobs, each blob once, and of manifests.
    pub bytes: Option<u64>,
    /// Manifests.
    pub manifests: Option<u64>,
    /// Tags.
    pub tags: Option<u64>,
}

impl Quota {
    /// The largest limit: far more than there is.
    pub const LARGEST: u64 = 1 << 60;

    /// No limit at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How much a scope holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that its manifests name, however often the same: what they would take without sharing, their own bytes included.
    pub referenced: u64,
    /// Bytes with each blob once, and those of manifests.
    pub bytes: u64,
    /// Bytes of uploads under way, and of blobs that no manifest needs yet.
    pub reserved: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
}

/// What is known of a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeUsage {
    /// How much it holds.
    pub usage: Usage,
    /// How much it may hold.
    pub quota: Quota,
    /// The version of the quota: it grows with each change; 0 before the first.
    pub version: i64,
    /// Whether all that was there before anything was counted is in it by now.
    pub is_complete: bool,
}

/// What all of the registry holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegistryUsage {
    /// Bytes that manifests name, however often the same.
    pub referenced: u64,
    /// Bytes with each blob once a namespace.
    pub once_each_namespace: u64,
    /// Bytes with each blob and manifest once: what is stored of what is needed.
    pub stored: u64,
    /// Different blobs among them.
    pub blobs: u64,
    /// Manifests, each once a repository.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// When `stored` and `blobs` were last counted, in microseconds since 1970; never where there is none.
    pub counted_at: Option<i64>,
}

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meter {
    /// Bytes that manifests need.
    Bytes,
    /// The same, and bytes of uploads under way.
    BytesWithUploads,
    /// Manifests.
    Manifests,
    /// Tags.
    Tags,
}

/// Something does not fit into a quota; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// Whose quota.
    pub scope: Scope,
    /// Which limit of it.
    pub meter: Meter,
    /// How much of it is used.
    pub used: u64,
    /// The limit.
    pub limit: u64,
    /// How much more was needed.
    pub needed: u64,
}

/// `the repository acme/app may hold 1000 bytes (1.0 kB) and holds 900 bytes …`
impl fmt::Display for OverQuota {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, meter, used, limit, needed } = self;
        let what = match meter {
            Meter::Manifests => "manifests",
            Meter::Tags => "tags",
            Meter::Bytes | Meter::BytesWithUploads => {
                let held = match meter {
                    Meter::Bytes => "",
                    _ => ", uploads under way included",
                };
                return write!(
                    formatter,
                    "the quota of {scope} is exceeded: {} of {} are used{held}, and {} more are needed; \
                     delete what is not needed, or have the quota raised",
                    Bytes(*used),
                    Bytes(*limit),
                    Bytes(*needed),
                );
            }
        };
        write!(
            formatter,
            "the quota of {scope} is exceeded: {used} of {limit} {what} are used, and {needed} more are needed; \
             delete what is not needed, or have the quota raised",
        )
    }
}

/// A number of bytes in words: exactly, and in a unit where it is large.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl Bytes {
    /// In a unit alone: `1.5 GB`.
    #[must_use]
    pub fn in_a_unit(self) -> String {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 1000 {
            return format!("{} bytes", self.0);
        }
        #[allow(clippy::cast_precision_loss, reason = "one digit is shown")]
        let mut value = self.0 as f64 / 1000.0;
        let mut unit = 0;
        // What would be shown as 1000.0 is shown as 1.0 of the next.
        while value >= 999.95 && unit + 1 < UNITS.len() {
            value /= 1000.0;
            unit += 1;
        }
        format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or_default())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.0)?;
        if self.0 >= 1000 {
            write!(formatter, " ({})", self.in_a_unit())?;
        }
        Ok(())
    }
}

/// A blob whose size is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobSize {
    /// Which.
    pub digest: Digest,
    /// How many bytes it has.
    pub bytes: u64,
}

/// What a step of counting found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// So many scopes were looked at.
    pub scopes: u64,
    /// What was counted wrongly before and is right now.
    pub drifts: Vec<Drift>,
    /// Where to go on; nowhere at the end.
    pub next: Option<i64>,
}

/// What a count walks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// Repositories, by their rows.
    Repositories,
    /// Namespaces, by what their repositories hold.
    Namespaces,
}

/// A scope on the way of a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedScope {
    /// Its place on that way.
    pub number: i64,
    /// The name of the namespace or repository.
    pub name: String,
}

/// A scope whose usage was not what its rows say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The name of the namespace or repository.
    pub scope: String,
    /// By how many bytes.
    pub bytes: u64,
    /// By how many manifests and tags.
    pub rows: u64,
}

/// How far a count of all that is stored has come: first of the blobs, then of the manifests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredCount {
    /// Whether the blobs are done.
    pub are_manifests: bool,
    /// Behind which blob or manifest it goes on; at the first where there is none.
    pub after: Option<Digest>,
    /// Bytes so far, of each blob and manifest once.
    pub bytes: u64,
    /// How many blobs these are.
    pub blobs: u64,
}

/// Usage and quotas. What pushes and deletions change is charged in their own transactions.
#[async_trait]
pub trait UsageMetadata: Send + Sync + 'static {
    /// What is known of a scope; nothing where there is no such repository.
    async fn find_usage(&self, scope: Scope) -> Result<Option<ScopeUsage>, StoreError>;

    /// The repositories of a namespace (or of all) behind a name, with their usage, `limit` at most, in the order of their names.
    async fn list_usage(
        &self,
        namespace: Option<AccountName>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(RepositoryName, ScopeUsage)>, StoreError>;

    /// What all of the registry holds.
    async fn registry_usage(&self) -> Result<RegistryUsage, StoreError>;

    /// Up to `limit` blobs behind `after` whose size is not known somewhere, in the order of their digests.
    async fn unsized_blobs(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StoreError>;

    /// Records sizes, and charges the blobs to whoever needs them, whatever the quotas say. Returns how many memberships that were.
    async fn record_sizes(&self, sizes: Vec<BlobSize>) -> Result<u64, StoreError>;

    /// Counts up to `limit` scopes behind `after`, and corrects what was counted wrongly. Rows and counters are read in one snapshot, so all of it
    /// is one transaction, which a scope of very many rows can be too large for.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`] where they take longer than a transaction may: fewer of them may not, and [`Self::next_scope`] says which is next.
    async fn count_scopes(
        &self,
        kind: ScopeKind,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Counted, StoreError>;

    /// The first scope behind `after`, which a count looks at next.
    async fn next_scope(
        &self,
        kind: ScopeKind,
        after: Option<i64>,
    ) -> Result<Option<NumberedScope>, StoreError>;

    /// Goes on with a count of all that is stored, by up to `limit` blobs or manifests. At the end it is recorded, and nothing returned.
    async fn count_stored(
        &self,
        count: StoredCount,
        limit: usize,
    ) -> Result<Option<StoredCount>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_exactly_and_in_a_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1000 bytes (1.0 kB)"),
            (999_949, "999949 bytes (999.9 kB)"),
            (999_950, "999950 bytes (1.0 MB)"),
            (1_500_000_000, "1500000000 bytes (1.5 GB)"),
            (u64::MAX, "18446744073709551615 bytes (18.4 EB)"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
