//! The one authorization point: who may do what, decided before anything is done.

use std::fmt;
use std::ops::Deref;

use async_trait::async_trait;

use crate::operation::{Operation, Requirement};
use crate::{Error, StoreError};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody who said nothing of themselves.
    Anonymous,
    /// The registry itself, in background work.
    System,
}

/// The name under which metadata records who did something.
impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::System => "system",
        })
    }
}

/// Decides who may do what.
#[async_trait]
pub trait Permissions: Send + Sync + 'static {
    /// Whether `principal` has what is required.
    async fn allows(
        &self,
        principal: &Principal,
        requirement: Requirement<'_>,
    ) -> Result<bool, StoreError>;
}

/// Everyone may do everything: what a registry without access control is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everyone;

#[async_trait]
impl Permissions for Everyone {
    async fn allows(&self, _: &Principal, _: Requirement<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }
}

/// An operation that was allowed, with who asked. The registry does nothing else, and only [`permit`] makes one.
#[derive(Clone, Debug)]
pub struct Permitted<O> {
    operation: O,
    principal: Principal,
}

impl<O> Permitted<O> {
    /// Who asked.
    pub const fn principal(&self) -> &Principal {
        &self.principal
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
    principal: Principal,
    operation: O,
) -> Result<Permitted<O>, Error> {
    if permissions.allows(&principal, operation.requirement()).await? {
        Ok(Permitted { operation, principal })
    } else {
        Err(Error::Denied)
    }
}
