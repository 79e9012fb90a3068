//! The trait of accounts on any engine.

use async_trait::async_trait;
use wharf_core::access::{Facts, Visibility};
use wharf_core::metadata::{
    Accounts, Change, NewGrant, NewRobot, NewToken, NewUser, SecretHolder, Subject, User,
};
use wharf_core::permissions::{AccountName, Principal};
use wharf_oci::{NamePattern, RepositoryName};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::accounts::{facts, grants, secrets, users};

#[async_trait]
impl<E: Engine> Accounts for Database<E> {
    async fn create_user(&self, user: NewUser) -> Result<Change> {
        self.engine.write(user).await
    }

    async fn find_user(&self, name: AccountName) -> Result<Option<User>> {
        self.engine.read(users::Find(name)).await
    }

    async fn list_users(&self, after: Option<String>, limit: usize) -> Result<Vec<User>> {
        self.engine.read(users::List { after, limit }).await
    }

    async fn set_password(&self, name: AccountName, hash: String) -> Result<Change> {
        self.engine.write(users::SetPassword { name, hash }).await
    }

    async fn set_disabled(&self, name: AccountName, disabled: bool) -> Result<Change> {
        self.engine.write(users::SetDisabled { name, disabled }).await
    }

    async fn create_organization(&self, name: AccountName, owner: AccountName) -> Result<Change> {
        self.engine.write(users::CreateOrganization { name, owner }).await
    }

    async fn set_namespace(
        &self,
        name: AccountName,
        visibility: Visibility,
        create_on_push: bool,
    ) -> Result<Change> {
        self.engine.write(users::SetNamespace { name, visibility, create_on_push }).await
    }

    async fn create_team(&self, namespace: AccountName, team: AccountName) -> Result<Change> {
        self.engine.write(users::CreateTeam { namespace, team }).await
    }

    async fn set_member(
        &self,
        namespace: AccountName,
        team: AccountName,
        user: AccountName,
        is_member: bool,
    ) -> Result<Change> {
        self.engine.write(users::SetMember { namespace, team, user, is_member }).await
    }

    async fn put_grant(&self, grant: NewGrant) -> Result<Change> {
        self.engine.write(grant).await
    }

    async fn remove_grant(
        &self,
        namespace: AccountName,
        subject: Subject,
        pattern: Option<NamePattern>,
    ) -> Result<Change> {
        self.engine.write(grants::Remove { namespace, subject, pattern }).await
    }

    async fn put_robot(&self, robot: NewRobot) -> Result<Change> {
        self.engine.write(robot).await
    }

    async fn create_token(&self, token: NewToken) -> Result<Change> {
        self.engine.write(token).await
    }

    async fn find_secret(&self, hash: [u8; 32]) -> Result<Option<SecretHolder>> {
        let found = self.engine.read(secrets::Find(hash)).await?;
        // Once an hour: a login is a read but for that.
        if let Some((_, Some(token))) = found {
            self.engine.write(secrets::NoteUse(token)).await?;
        }
        Ok(found.map(|(holder, _)| holder))
    }

    async fn remove_token(&self, hash: [u8; 32]) -> Result<Change> {
        self.engine.write(secrets::Remove(hash)).await
    }

    async fn set_visibility(
        &self,
        repository: RepositoryName,
        visibility: Visibility,
    ) -> Result<Change> {
        self.engine.write(grants::SetVisibility { repository, visibility }).await
    }

    async fn access_facts(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Facts> {
        self.engine.read(facts::Find { principal, repository }).await
    }
}
