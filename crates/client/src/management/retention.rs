//! The retention of a repository: its policy, and what it would drop.

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, RepositoryName};

use super::query::{path, with_parameters};
use super::{Answer, Management, Pages};
use crate::Error;

/// The policy of a repository, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Retention {
    /// The policy, as JSON; none where what is recorded cannot be read.
    pub policy: Option<serde_json::Value>,
    /// Counts its changes.
    pub version: i64,
    /// `draft`, `previewed` or `enabled`.
    pub state: String,
    /// Who changed it last.
    pub updated_by: Option<String>,
    /// When (RFC 3339).
    #[serde(default)]
    pub updated_at: String,
    /// Why it cannot be read.
    pub problem: Option<String>,
    /// Why no run drops anything at present.
    pub skipped: Option<String>,
    /// The last run.
    pub last_run: Option<RetentionRun>,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RetentionRun {
    /// The version of the policy.
    pub version: i64,
    /// When it ended (RFC 3339).
    #[serde(default)]
    pub ended_at: String,
    /// How many tags it left.
    pub kept: u64,
    /// How many it dropped.
    pub dropped: u64,
    /// Why it did not come to its end.
    pub problem: Option<String>,
}

/// What a policy would do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RetentionPreview {
    /// The version that was previewed.
    pub version: Option<i64>,
    /// How many tags there are.
    pub tags: u64,
    /// How many of them would go.
    pub dropped: u64,
    /// How many manifests would lose their last tag.
    pub manifests_untagged: u64,
    /// What has no tag already and would go; none where the policy keeps it.
    #[serde(default)]
    pub untagged: Option<UntaggedPlan>,
}

/// Manifests without a tag that a policy would have go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UntaggedPlan {
    /// For how long they have had none, such as `7d`.
    pub after: String,
    /// How many there are.
    pub manifests: u64,
    /// The first of them.
    pub first: Vec<String>,
}

/// What a policy says of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PlannedTag {
    /// The tag.
    pub tag: String,
    /// Where it stands.
    pub digest: String,
    /// Whether it would go.
    pub dropped: bool,
    /// The rule that decides, where one does.
    pub rule: Option<String>,
    /// What keeps it, or `not_kept`.
    pub reason: String,
    /// What keeps it though its rule does not: a policy of immutability, a pin, or the manifest that it is about.
    pub kept_by: Option<String>,
    /// When it was moved there (RFC 3339).
    #[serde(default)]
    pub pushed_at: String,
}

/// What runs somewhere.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Running<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Where it runs.
    pub by: &'a str,
    /// For how long, such as `6h`.
    #[serde(rename = "for")]
    pub lasts: &'a str,
}

#[derive(Serialize)]
struct Version {
    version: i64,
}

#[derive(Serialize)]
struct Nothing {}

impl Management {
    /// The policy of a repository.
    ///
    /// # Errors
    /// When the registry refuses, or there is none.
    pub async fn retention(&self, name: &RepositoryName) -> Result<Answer<Retention>, Error> {
        self.get(&path(&["repositories", name.as_str(), "retention"])).await
    }

    /// Sets the policy of a repository, as JSON.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn set_retention(
        &self,
        name: &RepositoryName,
        policy: &serde_json::Value,
    ) -> Result<Answer<Retention>, Error> {
        self.put(&path(&["repositories", name.as_str(), "retention"]), policy).await
    }

    /// Takes the policy of a repository away.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn remove_retention(&self, name: &RepositoryName) -> Result<(), Error> {
        self.delete(&path(&["repositories", name.as_str(), "retention"])).await
    }

    /// Has the registry find out what the policy of a repository would do, after which that version may be enabled.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn preview_retention(
        &self,
        name: &RepositoryName,
    ) -> Result<Answer<RetentionPreview>, Error> {
        self.post(&path(&["repositories", name.as_str(), "retention", "preview"]), &Nothing {})
            .await
    }

    /// What the policy of a repository says of each tag, or of those alone that would go.
    pub fn retention_plan(&self, name: &RepositoryName, dropped: bool) -> Pages<PlannedTag> {
        let dropped = [("dropped", dropped.then(|| "true".to_owned()))];
        let path = path(&["repositories", name.as_str(), "retention", "plan"]);
        Pages::new(self, with_parameters(path, &dropped))
    }

    /// Has a version of a policy that was previewed drop tags.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn enable_retention(
        &self,
        name: &RepositoryName,
        version: i64,
    ) -> Result<Answer<Retention>, Error> {
        let path = path(&["repositories", name.as_str(), "retention", "enable"]);
        self.post(&path, &Version { version }).await
    }

    /// Says that a manifest runs somewhere.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn report_running(
        &self,
        name: &RepositoryName,
        running: Running<'_>,
    ) -> Result<(), Error> {
        self.post_quietly(&path(&["repositories", name.as_str(), "running"]), &running).await
    }
}
