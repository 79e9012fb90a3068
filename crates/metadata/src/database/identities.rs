//! The trait of external identities on any engine.

use std::collections::BTreeSet;

use async_trait::async_trait;
use wharf_core::metadata::{
    Change, ExternalIdentity, ExternalName, Identities, LinkedIdentity, ProviderGroup,
    ProviderName, SignInOutcome,
};
use wharf_core::permissions::AccountName;

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::accounts::identities::{
    Link, List, ListGroupMembers, SetTeamGroups, TeamGroups, Unlink,
};
use crate::transactions::accounts::sign_in::{Recognise, SignIn};

#[async_trait]
impl<E: Engine> Identities for Database<E> {
    async fn sign_in(&self, identity: ExternalIdentity, may_create: bool) -> Result<SignInOutcome> {
        // Machines sign in by passwords of a directory many times an hour, and bring nothing new.
        if let Some(outcome) = self.engine.read(Recognise(identity.clone())).await? {
            return Ok(outcome);
        }
        self.engine.write(SignIn { identity, may_create }).await
    }

    async fn link_identity(
        &self,
        user: AccountName,
        provider: ProviderName,
        subject: ExternalName,
    ) -> Result<Change> {
        self.engine.write(Link { user, provider, subject }).await
    }

    async fn unlink_identity(&self, user: AccountName, provider: ProviderName) -> Result<Change> {
        self.engine.write(Unlink { user, provider }).await
    }

    async fn list_identities(&self, user: AccountName) -> Result<Option<Vec<LinkedIdentity>>> {
        self.engine.read(List(user)).await
    }

    async fn set_team_groups(
        &self,
        namespace: AccountName,
        team: AccountName,
        groups: BTreeSet<ProviderGroup>,
    ) -> Result<Change> {
        self.engine.write(SetTeamGroups { namespace, team, groups }).await
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
