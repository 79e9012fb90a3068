//! The management API of Wharf, `/api/v1`: users, organizations, teams, grants, robots, tokens, repositories, and who
//! may do what. Each noun has a file, with what can be asked of it.

mod access;
mod answer;
mod audit;
mod counts;
mod deleted_repositories;
mod device;
mod findings;
mod grants;
mod history;
mod immutability;
mod organizations;
mod pages;
mod pins;
mod problem;
mod query;
mod repositories;
mod request;
mod retention;
mod robots;
mod sign_up;
mod teams;
mod tokens;
mod trash;
mod trust;
mod usage;
mod users;
mod whoami;
mod writes;

pub use access::{Decision, Explanation};
pub use answer::Answer;
pub use audit::{AuditEntry, AuditFilter};
pub use counts::{Count, CountFilter, TopManifest, TopRepository};
pub use deleted_repositories::{DeletedRepository, RepositoryRestoration};
pub use device::{DeviceCode, DeviceError, DeviceToken};
pub use findings::{Finding, FindingQuery};
pub use grants::{Grant, NewGrant};
pub use history::{HistoryFilter, RollBackTo, TagChange};
pub use immutability::{
    CoveredBy, FrozenBy, ImmutabilityPolicy, ImmutabilityRule, PoliciesOf, TagImmutability,
};
pub use organizations::{NamespaceChange, NewOrganization, Organization};
pub use pages::Pages;
pub use pins::{NewPin, Pin};
pub use problem::Problem;
pub use repositories::{Manifest, Repository, RepositoryFilter, TagFilter, TagRecord};
pub use retention::{PlannedTag, Retention, RetentionPreview, RetentionRun, Running, UntaggedPlan};
pub use robots::{NewRobot, Robot, RobotChange};
pub use sign_up::{Invitation, NewAccount, OpenInvitation};
pub use teams::{Member, Named};
pub use tokens::{NewToken, Token};
pub use trash::{DeletedManifest, Restored};
pub use trust::{NewTrustRule, TrustRule};
pub use usage::{AllUsage, Holder, Quota, Usage};
pub use users::{NewUser, User, UserChange, UserFilter};
pub use whoami::WhoAmI;
pub use writes::Writes;

use crate::connection::{Client, Origin};
use crate::{HostName, Registry};

/// The management API of one registry. Requests go out with what is known of the user there, as `Basic`; an identity
/// token is for images alone.
#[derive(Clone)]
pub struct Management {
    client: Client,
    host: HostName,
    origin: Origin,
}

impl Registry {
    /// Its management API. Nothing is sent yet.
    pub fn management(&self) -> Management {
        let (client, origin) = (self.client().clone(), self.origin().clone());
        Management { client, host: self.host().clone(), origin }
    }
}

impl Management {
    /// The registry's host.
    pub fn host(&self) -> &HostName {
        &self.host
    }
}
