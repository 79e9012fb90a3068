//! The decision: what somebody may do with a repository, a pure function of the facts.

use std::fmt;

use wharf_core::access::{Facts, Grant, Role, Through, Visibility};
use wharf_core::operation::Action;
use wharf_core::permissions::{Actions, Decided, Principal};
use wharf_oci::RepositoryName;

/// Why an action is allowed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Who asks may do everything.
    SiteAdmin,
    /// The namespace is that of who asks.
    OwnNamespace,
    /// A grant gives it.
    Grant(Grant),
    /// The repository is to be read by whoever asks.
    Visibility(Visibility),
    /// Nothing gives it.
    Nothing,
    /// Who asks is not known, or disabled.
    Inactive,
    /// The repository does not exist, and a push must not make it.
    NoCreation,
}

/// For logs and for who asks to have it explained.
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SiteAdmin => {
                formatter.write_str("allowed: an administrator of the whole registry")
            }
            Self::OwnNamespace => formatter.write_str("allowed: the namespace is their own"),
            Self::Grant(Grant { id, gives, through }) => {
                write!(formatter, "allowed: grant {id} gives {} on ", gives.role.name())?;
                match &gives.pattern {
                    Some(pattern) => write!(formatter, "{pattern}")?,
                    None => formatter.write_str("the whole namespace")?,
                }
                match through {
                    Through::Direct => Ok(()),
                    Through::Team(team) => write!(formatter, " to the team {team}"),
                }
            }
            Self::Visibility(visibility) => {
                write!(formatter, "allowed: the repository is {}", visibility.name())
            }
            Self::Nothing => formatter.write_str("denied: no grant gives it"),
            Self::Inactive => formatter.write_str("denied: not known, or disabled"),
            Self::NoCreation => formatter.write_str(
                "denied: the repository does not exist, and pushes make none in this namespace",
            ),
        }
    }
}

impl Reason {
    /// Whether the action is allowed.
    #[must_use]
    pub const fn allows(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Inactive | Self::NoCreation)
    }
}

/// The least role that may do something.
#[must_use]
pub const fn needed(action: Action) -> Role {
    match action {
        Action::Pull => Role::Read,
        Action::Push => Role::Write,
        Action::Delete => Role::Maintain,
    }
}

/// Whether `principal` may do something with a repository, and why.
#[must_use]
pub fn decide(
    principal: &Principal,
    repository: &RepositoryName,
    action: Action,
    facts: &Facts,
) -> Reason {
    let readable = match facts.repository {
        Some(visibility @ Visibility::Public) => Some(visibility),
        Some(visibility @ Visibility::Internal) => {
            (facts.active && matches!(principal, Principal::User(_))).then_some(visibility)
        }
        _ => None,
    };
    if let (Action::Pull, Some(visibility)) = (action, readable) {
        return Reason::Visibility(visibility);
    }
    let reason = by_facts(principal, facts, |grant| grant.gives.covers(repository, needed(action)));
    let creates = action == Action::Push && facts.repository.is_none();
    let may_create = facts.namespace.as_ref().is_some_and(|namespace| namespace.create_on_push);
    if matches!(reason, Reason::OwnNamespace | Reason::Grant(_)) && creates && !may_create {
        return Reason::NoCreation;
    }
    reason
}

/// Whether `principal` may do with a repository what needs a role on it, and why. Pulling needs no more than
/// [`decide`] says, as who may read is a matter of visibility too.
#[must_use]
pub fn decide_role(
    principal: &Principal,
    repository: &RepositoryName,
    role: Role,
    facts: &Facts,
) -> Reason {
    if role == Role::Read {
        return decide(principal, repository, Action::Pull, facts);
    }
    by_facts(principal, facts, |grant| grant.gives.covers(repository, role))
}

/// Whether `principal` may do with a whole namespace what needs a role on it, and why. To read of it, any grant in it
/// is enough.
#[must_use]
pub fn decide_namespace(principal: &Principal, role: Role, facts: &Facts) -> Reason {
    by_facts(principal, facts, |grant| role == Role::Read || grant.gives.covers_all(role))
}

/// Whether `principal` may see which teams a namespace has, and why: who is in one of them, whose grant is on the whole
/// of it, and who administers something there and so gives rights to teams. Others were let into a part of it.
#[must_use]
pub fn decide_teams(principal: &Principal, facts: &Facts) -> Reason {
    by_facts(principal, facts, |Grant { gives, through, .. }| {
        gives.pattern.is_none() || gives.role == Role::Admin || *through != Through::Direct
    })
}

/// What holds whatever is asked: who may do everything, whose the namespace is, and else the grants that cover it.
fn by_facts(principal: &Principal, facts: &Facts, covers: impl Fn(&Grant) -> bool) -> Reason {
    if *principal == Principal::Anonymous {
        return Reason::Nothing;
    }
    if !facts.active {
        return Reason::Inactive;
    }
    if facts.site_admin {
        return Reason::SiteAdmin;
    }
    let Some(namespace) = &facts.namespace else { return Reason::Nothing };
    if namespace.own {
        return Reason::OwnNamespace;
    }
    let grants = namespace.grants.iter().filter(|grant| covers(grant));
    grants
        .max_by_key(|grant| grant.gives.role)
        .map_or(Reason::Nothing, |it| Reason::Grant(it.clone()))
}

/// Of the actions wanted, those that are allowed.
#[must_use]
pub fn allowed(
    principal: &Principal,
    repository: &RepositoryName,
    wanted: Actions,
    facts: &Facts,
) -> Actions {
    wanted.iter().filter(|action| decide(principal, repository, *action, facts).allows()).collect()
}

/// What is decided of each action, and why.
#[must_use]
pub fn explain(principal: &Principal, repository: &RepositoryName, facts: &Facts) -> Vec<Decided> {
    let decide = |action| {
        let reason = decide(principal, repository, action, facts);
        let of_account = matches!(reason, Reason::SiteAdmin | Reason::Inactive);
        Decided { action, allowed: reason.allows(), reason: reason.to_string(), of_account }
    };
    Action::ALL.into_iter().map(decide).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
