//! The decision: what somebody may do with a repository, a pure function of the facts.

use std::fmt;

use wharf_core::access::{Facts, Grant, Role, Through, Visibility};
use wharf_core::operation::Action;
use wharf_core::permissions::{Actions, Principal};
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
            Self::Grant(Grant { id, role, pattern, through }) => {
                write!(formatter, "allowed: grant {id} gives {} on ", role.name())?;
                match pattern {
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
    let reason = if namespace.own {
        Reason::OwnNamespace
    } else {
        let covers = |grant: &&Grant| {
            grant.role >= needed(action)
                && grant.pattern.as_ref().is_none_or(|pattern| pattern.matches(repository))
        };
        let Some(grant) = namespace.grants.iter().filter(covers).max_by_key(|it| it.role) else {
            return Reason::Nothing;
        };
        Reason::Grant(grant.clone())
    };
    if action == Action::Push && facts.repository.is_none() && !namespace.create_on_push {
        return Reason::NoCreation;
    }
    reason
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
