//! The trait of external identities on any engine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;
use wharf_core::metadata::{
    ExternalIdentity, Identities, LinkedIdentity, ProviderGroup, SignInOutcome,
};
use wharf_core::permissions::AccountName;

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::accounts::identities::{List, ListGroupMembers, TeamGroups};
use crate::transactions::accounts::sign_in::{Recognise, SignIn};

#[async_trait]
impl<E: Engine> Identities for Database<E> {
    async fn sign_in(
        &self,
        identity: ExternalIdentity,
        may_create: bool,
        address: Option<IpAddr>,
    ) -> Result<SignInOutcome> {
        // Machines sign in by passwords of a directory many times an hour, and bring nothing new.
        if let Some(outcome) = self.engine.read(Recognise(identity.clone())).await? {
            return Ok(outcome);
        }
        self.engine.write(SignIn { identity, may_create, address }).await
    }

    async fn list_identities(&self, user: AccountName) -> Result<Option<Vec<LinkedIdentity>>> {
        self.engine.read(List(user)).await
    }

    async fn team_groups(
        &self,
        namespace: AccountName,
        team: AccountName,
    ) -> Result<Option<BTreeSet<ProviderGroup>>> {
        self.engine.read(TeamGroups { namespace, team }).await
    }

    async fn list_group_members(
        &self,
        namespace: AccountName,
        team: AccountName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<AccountName>> {
        self.engine.read(ListGroupMembers { namespace, team, after, limit }).await
    }
}
