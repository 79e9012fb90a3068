//! Who asks.

use schemars::JsonSchema;
use serde::Serialize;
use wharf_core::access::Role;
use wharf_core::operation::Requirement;
use wharf_core::permissions::Principal;
use wharf_oci::NamePattern;

use super::answer::Plain;
use super::ask::Ask;
use super::problem::Problem;
use super::values::Text;

/// Somebody, and the most that the secret is good for with which they came.
#[derive(Serialize, JsonSchema)]
pub(super) struct WhoAmI {
    principal: Text<Principal>,
    /// Whether they administer the whole registry.
    site_admin: bool,
    /// The most that the secret gives.
    role: Text<Role>,
    /// On which repositories; on all where there is no pattern.
    pattern: Option<Text<NamePattern>>,
}

pub(super) async fn get(ask: Ask) -> Result<Plain<WhoAmI>, Problem> {
    let caller = ask.somebody()?;
    Ok(Plain(WhoAmI {
        principal: Text(caller.principal.clone()),
        site_admin: ask.has(Requirement::Site).await?,
        role: Text(caller.most.role),
        pattern: caller.most.pattern.clone().map(Text),
    }))
}
