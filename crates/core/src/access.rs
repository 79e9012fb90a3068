//! Who may do what, as plain values: roles, grants, visibility, and the facts that a decision is made of.

use wharf_oci::{NamePattern, RepositoryName};

use crate::permissions::AccountName;

/// What a grant gives. Each role has what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Pull.
    Read,
    /// Push, and make repositories where the namespace allows it.
    Write,
    /// Delete.
    Maintain,
    /// Give rights to others, and change what the others may not.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Maintain, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who may pull from a repository without a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    /// Nobody.
    #[default]
    Private,
    /// Every user who is logged in.
    Internal,
    /// Everyone.
    Public,
}

impl Visibility {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Private, Self::Internal, Self::Public];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }

    /// The visibility of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|visibility| visibility.name() == name)
    }
}

/// A role, and on which repositories: what a grant gives, or the most that a secret is good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Narrowing {
    /// The role.
    pub role: Role,
    /// On which repositories; on all where there is no pattern.
    pub pattern: Option<NamePattern>,
}

impl Narrowing {
    /// What narrows nothing.
    pub const WHOLE: Self = Self { role: Role::Admin, pattern: None };

    /// Whether it has a role on all of something.
    #[must_use]
    pub fn covers_all(&self, role: Role) -> bool {
        self.role >= role && self.pattern.is_none()
    }

    /// Whether it has a role on a repository.
    #[must_use]
    pub fn covers(&self, repository: &RepositoryName, role: Role) -> bool {
        self.role >= role && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(repository))
    }
}

/// By whom somebody has a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Through {
    /// By themselves.
    Direct,
    /// By a team of the namespace.
    Team(AccountName),
}

/// A grant that reaches the one who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its number.
    pub id: i64,
    /// What it gives, and on which repositories of the namespace.
    pub gives: Narrowing,
    /// By whom.
    pub through: Through,
}

/// Everything that a decision about one repository depends on, as it was in the database at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether who asks is known and not disabled.
    pub active: bool,
    /// Whether who asks may do everything everywhere.
    pub site_admin: bool,
    /// The repository's visibility, where it exists.
    pub repository: Option<Visibility>,
    /// The namespace, where it exists.
    pub namespace: Option<NamespaceFacts>,
}

/// The part of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Whether it is called like the user who asks, and theirs.
    pub own: bool,
    /// Whether a push may make a repository.
    pub create_on_push: bool,
    /// The grants that reach who asks.
    pub grants: Vec<Grant>,
}
