//! The one authorization point: who may do what, decided before anything is done.

use std::net::IpAddr;
use std::ops::Deref;

use async_trait::async_trait;
use wharf_oci::RepositoryName;

use crate::access::Narrowing;
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::metadata::ProviderName;
use crate::operation::{Action, Operation, Requirement};
pub use crate::principal::{AccountName, NoAccountName, Principal, RobotName};
use crate::{Error, StoreError};

/// A set of actions on a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);

    const fn bit(action: Action) -> u8 {
        match action {
            Action::Pull => 1,
            Action::Push => 2,
            Action::Delete => 4,
        }
    }

    /// Whether an action is one of them.
    #[must_use]
    pub const fn contains(self, action: Action) -> bool {
        self.0 & Self::bit(action) != 0
    }

    /// These, and one more.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | Self::bit(action))
    }

    /// Those that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.contains(*action))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What somebody was granted, as a token states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What may be done with which repository.
    pub repositories: Vec<(RepositoryName, Actions)>,
    /// Whether all repositories may be listed.
    pub catalog: bool,
}

impl Rights {
    /// Whether they have what is required.
    #[must_use]
    pub fn allow(&self, requirement: Requirement<'_>) -> bool {
        match requirement {
            // Whoever has a token was let in, and be it for nothing more.
            Requirement::Access => true,
            Requirement::Catalog => self.catalog,
            Requirement::Repository(name, action) => self
                .repositories
                .iter()
                .any(|(repository, actions)| repository == name && actions.contains(action)),
            // Tokens state nothing of it: that is asked of the accounts themselves.
            Requirement::Role(..)
            | Requirement::Namespace(..)
            | Requirement::Teams(..)
            | Requirement::Own(..)
            | Requirement::Site => false,
        }
    }
}

/// Who asks, with what they were granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// What their token states; `None` for who came without one.
    pub rights: Option<Rights>,
    /// The most that the secret is good for with which they came.
    pub most: Narrowing,
    /// Until when that secret works, where it ends: what is made by it lives no longer.
    pub expires_at: Option<Timestamp>,
    /// The identity provider by whose word they came, where one said who they are: what they begin ends with their identity there.
    pub provider: Option<ProviderName>,
    /// Where the request came from, for what is recorded of a change.
    pub address: Option<IpAddr>,
    /// The request's id, for the same.
    pub request_id: Option<String>,
}

impl Caller {
    /// Somebody without a token: all there is where there is no access control.
    #[must_use]
    pub const fn new(principal: Principal) -> Self {
        let most = Narrowing::WHOLE;
        let (expires_at, provider, address, request_id) = (None, None, None, None);
        Self { principal, rights: None, most, expires_at, provider, address, request_id }
    }

    /// Somebody with what their token states.
    #[must_use]
    pub fn with_rights(principal: Principal, rights: Rights) -> Self {
        Self { rights: Some(rights), ..Self::new(principal) }
    }
}

/// From which repositories somebody may take blobs that they know by digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// From every one.
    Any,
    /// From those that everyone may read, and from these.
    PublicOr(Vec<RepositoryName>),
}

/// Decides who may do what.
#[async_trait]
pub trait Permissions: Send + Sync + 'static {
    /// Whether `caller` has what is required.
    async fn allows(
        &self,
        caller: &Caller,
        requirement: Requirement<'_>,
    ) -> Result<bool, StoreError>;

    /// Where `caller` may mount blobs from.
    fn sources(&self, caller: &Caller) -> Sources;
}

/// What is decided of an action, for those who ask why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Which.
    pub action: Action,
    /// Whether it is allowed.
    pub allowed: bool,
    /// Which grant, visibility or rule says so, for people.
    pub reason: String,
    /// Whether that is about the account itself, and no grant: that it may do everything, or is disabled or not there.
    pub of_account: bool,
}

/// Decides of each action, by what is recorded, and says why.
#[async_trait]
pub trait Decisions: Send + Sync + 'static {
    /// What `principal` may do with a repository.
    async fn decide(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Vec<Decided>, StoreError>;
}

/// Everyone may do everything: what a registry without access control is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everyone;

#[async_trait]
impl Permissions for Everyone {
    async fn allows(&self, _: &Caller, _: Requirement<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn sources(&self, _: &Caller) -> Sources {
        Sources::Any
    }
}

/// Everyone may do what they were granted, by a token that was verified: nothing is asked of any store.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsGranted;

#[async_trait]
impl Permissions for AsGranted {
    async fn allows(
        &self,
        caller: &Caller,
        requirement: Requirement<'_>,
    ) -> Result<bool, StoreError> {
        Ok(caller.rights.as_ref().is_some_and(|rights| rights.allow(requirement)))
    }

    fn sources(&self, caller: &Caller) -> Sources {
        let named = caller.rights.iter().flat_map(|rights| &rights.repositories);
        let pulled = named.filter(|(_, actions)| actions.contains(Action::Pull));
        Sources::PublicOr(pulled.map(|(repository, _)| repository.clone()).collect())
    }
}

/// An operation that was allowed, with who asked. The registry does nothing else, and only [`permit`] makes one.
#[derive(Clone, Debug)]
pub struct Permitted<O> {
    operation: O,
    caller: Caller,
}

impl<O> Permitted<O> {
    /// Who asked.
    pub const fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// Who asked, with what they were granted.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who asked, for what is recorded of a change.
    pub fn actor(&self) -> Actor {
        Actor::from(&self.caller)
    }

    /// The operation, and who asked.
    pub fn into_parts(self) -> (O, Caller) {
        (self.operation, self.caller)
    }
}

impl<O> Deref for Permitted<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.operation
    }
}

/// Asks `permissions` for what `operation` requires.
///
/// # Errors
/// [`Error::Denied`] when it is not allowed, and a store's fault when that cannot be told.
pub async fn permit<O: Operation>(
    permissions: &dyn Permissions,
    caller: Caller,
    operation: O,
) -> Result<Permitted<O>, Error> {
    if permissions.allows(&caller, operation.requirement()).await? {
        Ok(Permitted { operation, caller })
    } else {
        Err(Error::Denied)
    }
}
