//! Why somebody may or may not do something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::operation::{Action, Requirement};
use wharf_core::permissions::Principal;
use wharf_oci::RepositoryName;

use super::answer::Plain;
use super::ask::Ask;
use super::problem::Problem;
use super::values::Text;

/// Whose rights on what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    /// Who asks, where nothing is said. Others are explained to who administers the repository.
    principal: Option<Text<Principal>>,
    repository: Text<RepositoryName>,
}

/// What is decided of an action.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Decision {
    allowed: bool,
    /// Which grant, visibility or rule says so, for people.
    reason: String,
}

/// What is decided of each action.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Explanation {
    pull: Decision,
    push: Decision,
    delete: Decision,
}

pub(super) async fn explain(ask: Ask<ExplainQuery>) -> Result<Plain<Explanation>, Problem> {
    let caller = ask.somebody()?;
    let Text(repository) = ask.query.repository.clone();
    let principal = match &ask.query.principal {
        Some(Text(principal)) => principal.clone(),
        None => caller.principal.clone(),
    };
    if principal != caller.principal || !caller.most.covers(&repository, Role::Read) {
        ask.may(Requirement::Role(&repository, Role::Admin)).await?;
    }
    // Who administers a repository learns what it gives to whom, and not whose account can do or is what.
    let whole = principal == caller.principal || ask.has(Requirement::Site).await?;
    let decided = ask.management().parts().decisions.decide(principal, repository).await?;
    let mut explanation = Explanation::default();
    for decided in decided {
        let decision = if decided.of_account && !whole {
            Decision { allowed: false, reason: "denied: no grant gives it".to_owned() }
        } else {
            Decision { allowed: decided.allowed, reason: decided.reason }
        };
        match decided.action {
            Action::Pull => explanation.pull = decision,
            Action::Push => explanation.push = decision,
            Action::Delete => explanation.delete = decision,
        }
    }
    Ok(Plain(explanation))
}
