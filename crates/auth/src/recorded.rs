//! Permissions by what is recorded now: for management, where a right that was taken away is gone at once.

use std::sync::Arc;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::Role;
use wharf_core::metadata::Accounts;
use wharf_core::operation::Requirement;
use wharf_core::permissions::{
    AccountName, Caller, Decided, Decisions, Permissions, Principal, Sources,
};
use wharf_oci::RepositoryName;

use crate::decision;

/// Everyone may do what the accounts say at this moment, as far as the secret is good for it with which they came.
pub struct AsRecorded {
    accounts: Arc<dyn Accounts>,
}

impl AsRecorded {
    /// By these accounts.
    pub fn new(accounts: Arc<dyn Accounts>) -> Self {
        Self { accounts }
    }

    async fn is_site_admin(&self, caller: &Caller) -> Result<bool, StoreError> {
        let Principal::User(name) = &caller.principal else { return Ok(false) };
        let user = self.accounts.find_user(name.clone()).await?;
        Ok(user.is_some_and(|user| user.site_admin && !user.disabled))
    }

    async fn owns(&self, caller: &Caller, user: &AccountName) -> Result<bool, StoreError> {
        let Principal::User(name) = &caller.principal else { return Ok(false) };
        if name != user {
            return self.is_site_admin(caller).await;
        }
        let user = self.accounts.find_user(name.clone()).await?;
        Ok(user.is_some_and(|user| !user.disabled))
    }
}

#[async_trait]
impl Decisions for AsRecorded {
    async fn decide(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Vec<Decided>, StoreError> {
        let facts = self.accounts.access_facts(principal.clone(), repository.clone()).await?;
        Ok(decision::explain(&principal, &repository, &facts))
    }
}

#[async_trait]
impl Permissions for AsRecorded {
    async fn allows(
        &self,
        caller: &Caller,
        requirement: Requirement<'_>,
    ) -> Result<bool, StoreError> {
        let Caller { principal, most, .. } = caller;
        match requirement {
            Requirement::Access => Ok(true),
            Requirement::Catalog | Requirement::Site => {
                Ok(most.covers_all(Role::Admin) && self.is_site_admin(caller).await?)
            }
            Requirement::Own(user, role) => {
                Ok(most.covers_all(role) && self.owns(caller, user).await?)
            }
            Requirement::Namespace(namespace, role) => {
                if !most.covers_all(role) {
                    return Ok(false);
                }
                let facts = self.accounts.namespace_facts(principal.clone(), namespace.clone());
                Ok(decision::decide_namespace(principal, role, &facts.await?).allows())
            }
            Requirement::Teams(namespace) => {
                if !most.covers_all(Role::Read) {
                    return Ok(false);
                }
                let facts = self.accounts.namespace_facts(principal.clone(), namespace.clone());
                Ok(decision::decide_teams(principal, &facts.await?).allows())
            }
            Requirement::Role(repository, role) => {
                if !most.covers(repository, role) {
                    return Ok(false);
                }
                let facts = self.accounts.access_facts(principal.clone(), repository.clone());
                Ok(decision::decide_role(principal, repository, role, &facts.await?).allows())
            }
            Requirement::Repository(repository, action) => {
                if !most.covers(repository, decision::needed(action)) {
                    return Ok(false);
                }
                let facts = self.accounts.access_facts(principal.clone(), repository.clone());
                Ok(decision::decide(principal, repository, action, &facts.await?).allows())
            }
        }
    }

    fn sources(&self, _: &Caller) -> Sources {
        Sources::PublicOr(Vec::new())
    }
}
