//! The management API, `/api/v1`: accounts, grants, repositories, and the records of what was done, over HTTP.
//!
//! One noun a file; all end-points are in the table of `endpoints.rs`, from which the description is made. Who may do
//! what is asked of what is recorded now, and `Ask::may` is the only way to the stores.

mod access;
mod answer;
pub(in crate::api) mod ask;
mod audit;
mod counts;
mod deleted_repositories;
mod endpoints;
mod findings;
mod grants;
mod history;
mod identities;
mod immutability;
mod invitations;
mod manifests;
mod namespaces;
mod open_api;
mod organizations;
mod pages;
mod pins;
pub(in crate::api) mod problem;
mod readable;
mod repositories;
mod retention;
mod robots;
mod table;
mod tag_immutability;
mod tags;
mod teams;
mod tokens;
mod trash;
mod trust;
mod usage;
mod users;
mod values;
mod whoami;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use wharf_core::authority::{Authenticator, Secrets};
use wharf_core::limits::{Limiter, Rate, Take};
use wharf_core::metadata::{
    Accounts, AuditLog, Counts, Directory, Identities, ImmutabilityPolicies, Integrity, Retention,
    TrustRules, UsageMetadata, WriteModes,
};
use wharf_core::permissions::{Decisions, Permissions, Principal};
use wharf_core::retention::PullsKnown;

pub use open_api::document;
pub(in crate::api) use table::{Found, find};
pub use table::{Listed, listed};

/// Where all of it is.
const ROOT: &str = "/api/v1";

/// Who may sign up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUpRule {
    /// Everyone.
    Open,
    /// Who has an invitation.
    #[default]
    Invited,
    /// Nobody, but by the code that makes the first administrator.
    Closed,
}

/// What the API works with.
pub struct ManagementParts {
    /// Who somebody is.
    pub authenticator: Arc<dyn Authenticator>,
    /// What they may do, by what is recorded now.
    pub permissions: Arc<dyn Permissions>,
    /// Why.
    pub decisions: Arc<dyn Decisions>,
    /// Makes secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Keeps count of what is written down of those who are denied.
    pub limiter: Arc<dyn Limiter>,
    /// How often one client may ask without saying who it is.
    pub requests: Option<Rate>,
    /// How many changes a user or a robot may ask for.
    pub changes: Option<Rate>,
    /// Whose clients may both as often as they like.
    pub exempt: Vec<IpNet>,
    /// Who may change as much as they like.
    pub exempt_principals: Vec<Principal>,
    /// Who may sign up.
    pub sign_up: SignUpRule,
    /// For how long pulls are known, by which policies of retention may ask.
    pub pulls: PullsKnown,
    /// What the registry calls itself to those who log in.
    pub service: String,
    /// What is recorded.
    pub stores: Stores,
}

/// What is recorded.
pub struct Stores {
    /// Changes it.
    pub accounts: Arc<dyn Accounts>,
    /// Lists it.
    pub directory: Arc<dyn Directory>,
    /// Who users are elsewhere, and the groups of teams.
    pub identities: Arc<dyn Identities>,
    /// The policies by which tags freeze.
    pub immutability: Arc<dyn ImmutabilityPolicies>,
    /// The trust rules of robots.
    pub trust: Arc<dyn TrustRules>,
    /// Who did what.
    pub audit: Arc<dyn AuditLog>,
    /// How often what was pulled.
    pub counts: Arc<dyn Counts>,
    /// Which tags are kept.
    pub retention: Arc<dyn Retention>,
    /// What may be written.
    pub writes: Arc<dyn WriteModes>,
    /// How much is held, and may be.
    pub usage: Arc<dyn UsageMetadata>,
    /// What scrubs found.
    pub integrity: Arc<dyn Integrity>,
}

/// The management API.
#[derive(Clone)]
pub struct Management(Arc<ManagementParts>);

impl Management {
    /// One that works with these.
    pub fn new(parts: ManagementParts) -> Self {
        Self(Arc::new(parts))
    }

    fn parts(&self) -> &ManagementParts {
        &self.0
    }
}

/// Whether a path is of this API.
pub(in crate::api) fn is_of(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// How often somebody's denied changes are written down.
fn denials(principal: &Principal) -> Take {
    const COUNT: u32 = 60;
    const TIME: Duration = Duration::from_secs(3600);
    #[allow(clippy::expect_used, reason = "these are numbers of a rate")]
    let rate = Rate::new(COUNT, TIME).expect("sixty an hour is a rate");
    Take::one(format!("denied {principal}"), rate)
}
