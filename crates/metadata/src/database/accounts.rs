//! The traits of accounts, their directory and the audit log on any engine.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::Facts;
use wharf_core::metadata::{
    AccountChange, Accounts, AuditEntry, AuditFilter, AuditLog, AuditOrder, AuditReaders,
    AuditRecord, Change, ChangeRequest, Directory, GrantRecord, InvitationRecord, ManifestRecord,
    Member, Namespace, Page, Position, RepositoryFilter, RepositoryRecord, RobotRecord,
    SecretHolder, SortTags, Subject, TagRecord, TokenId, TokenRecord, User, UserFilter, Viewer,
};
use wharf_core::permissions::{AccountName, Principal, RobotName};
use wharf_oci::{Digest, NamePattern, RepositoryName, Tag};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::accounts::directory::tag_order::{PutInOrder, Sorted};
use crate::transactions::accounts::directory::{namespaces, repositories, secrets as machines};
use crate::transactions::accounts::{directory, facts, secrets, sign_up, upkeep, users};
use crate::transactions::audit;

#[async_trait]
impl<E: Engine> Accounts for Database<E> {
    async fn change(&self, request: ChangeRequest) -> Result<Change> {
        let closes = matches!(&request.change, AccountChange::SetWrites(_));
        let made = self.engine.write(request).await?;
        if closes {
            // Also where it stood so: what asked before may have been told that it is not certain.
            self.engine.settle().await?;
        }
        Ok(made)
    }

    async fn find_user(&self, name: AccountName) -> Result<Option<User>> {
        self.engine.read(users::Find(name)).await
    }

    async fn find_secret(&self, hash: [u8; 32]) -> Result<Option<SecretHolder>> {
        let found = self.engine.read(secrets::Find(hash)).await?;
        // Once an hour: a login is a read but for that.
        if let Some((_, Some(token))) = found {
            self.engine.write(secrets::NoteUse(token)).await?;
        }
        Ok(found.map(|(holder, _)| holder))
    }

    async fn access_facts(
        &self,
        principal: Principal,
        repository: RepositoryName,
    ) -> Result<Facts> {
        let namespace = repository.namespace().to_owned();
        self.engine.read(facts::Find { principal, namespace, repository: Some(repository) }).await
    }

    async fn namespace_facts(&self, principal: Principal, namespace: AccountName) -> Result<Facts> {
        let namespace = namespace.to_string();
        self.engine.read(facts::Find { principal, namespace, repository: None }).await
    }

    async fn find_invitation(&self, hash: [u8; 32]) -> Result<bool> {
        self.engine.read(sign_up::Find(hash)).await
    }

    async fn forget_expired(&self, limit: usize) -> Result<u64> {
        self.engine.write(upkeep::Forget { limit }).await
    }
}

#[async_trait]
impl<E: Engine> Directory for Database<E> {
    async fn list_users(&self, filter: UserFilter, page: Page) -> Result<Vec<User>> {
        self.engine.read(directory::users::List { filter, page }).await
    }

    async fn find_namespace(&self, name: AccountName) -> Result<Option<Namespace>> {
        self.engine.read(namespaces::Find(name)).await
    }

    async fn list_organizations(
        &self,
        of: Option<AccountName>,
        page: Page,
    ) -> Result<Vec<Namespace>> {
        self.engine.read(namespaces::ListOrganizations { of, page }).await
    }

    async fn list_teams(
        &self,
        namespace: AccountName,
        page: Page,
    ) -> Result<Option<Vec<AccountName>>> {
        self.engine.read(namespaces::ListTeams { namespace, page }).await
    }

    async fn list_members(
        &self,
        namespace: AccountName,
        team: AccountName,
        by_groups: bool,
        page: Page,
    ) -> Result<Option<Vec<Member>>> {
        self.engine.read(namespaces::ListMembers { namespace, team, by_groups, page }).await
    }

    async fn list_grants(
        &self,
        namespace: AccountName,
        page: Page,
    ) -> Result<Option<Vec<GrantRecord>>> {
        self.engine.read(namespaces::ListGrants { namespace, page }).await
    }

    async fn find_grant(
        &self,
        namespace: AccountName,
        subject: Subject,
        pattern: Option<NamePattern>,
    ) -> Result<Option<GrantRecord>> {
        self.engine.read(namespaces::FindGrant { namespace, subject, pattern }).await
    }

    async fn list_robots(
        &self,
        namespace: AccountName,
        page: Page,
    ) -> Result<Option<Vec<RobotRecord>>> {
        self.engine.read(machines::ListRobots { namespace, page }).await
    }

    async fn find_robot(&self, name: RobotName) -> Result<Option<RobotRecord>> {
        self.engine.read(machines::FindRobot(name)).await
    }

    async fn list_tokens(&self, user: AccountName) -> Result<Option<Vec<TokenRecord>>> {
        self.engine.read(machines::ListTokens(user)).await
    }

    async fn find_token(&self, user: AccountName, id: TokenId) -> Result<Option<TokenRecord>> {
        self.engine.read(machines::FindToken { user, id }).await
    }

    async fn list_invitations(
        &self,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<Vec<InvitationRecord>> {
        self.engine.read(sign_up::List { after, limit }).await
    }

    async fn list_visible(
        &self,
        viewer: Viewer,
        filter: RepositoryFilter,
        page: Page,
    ) -> Result<Vec<RepositoryRecord>> {
        self.engine.read(repositories::ListVisible { viewer, filter, page }).await
    }

    async fn find_repository(&self, name: RepositoryName) -> Result<Option<RepositoryRecord>> {
        self.engine.read(repositories::Find(name)).await
    }

    async fn list_tag_records(
        &self,
        repository: RepositoryName,
        page: Page,
    ) -> Result<Option<Vec<TagRecord>>> {
        self.engine.read(repositories::ListTags { repository, page }).await
    }

    async fn sort_tag_records(&self, query: SortTags) -> Result<Option<Vec<TagRecord>>> {
        // Tags of a release before this one: a hundred thousand of them in one call, some at a time.
        const ROUNDS: usize = 100;
        const SOME: usize = 1000;
        for _ in 0..ROUNDS {
            match self.engine.read(query.clone()).await? {
                Sorted::NoRepository => return Ok(None),
                Sorted::Tags(tags) => return Ok(Some(tags)),
                Sorted::NotInOrder => {
                    let repository = query.repository.clone();
                    self.engine.write(PutInOrder { repository, limit: SOME }).await?;
                }
            }
        }
        let reason = format!("the tags of {} are being put in order", query.repository);
        Err(StoreError::Unavailable(reason))
    }

    async fn find_tag_record(
        &self,
        repository: RepositoryName,
        tag: Tag,
    ) -> Result<Option<TagRecord>> {
        self.engine.read(repositories::FindTag { repository, tag }).await
    }

    async fn find_manifest_record(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Option<ManifestRecord>> {
        self.engine.read(repositories::FindManifest { repository, digest }).await
    }

    async fn list_manifest_records(
        &self,
        repository: RepositoryName,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Option<Vec<ManifestRecord>>> {
        self.engine.read(repositories::ListManifests { repository, after, limit }).await
    }

    async fn has_users(&self) -> Result<bool> {
        self.engine.read(directory::users::Any).await
    }
}

#[async_trait]
impl<E: Engine> AuditLog for Database<E> {
    async fn append_audit(&self, entry: AuditEntry) -> Result<()> {
        self.engine.write(audit::Append(entry)).await
    }

    async fn list_audit(
        &self,
        filter: AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>> {
        self.engine.read(audit::List { filter, order, after, limit }).await
    }

    async fn make_room_for_audit(&self) -> Result<u64> {
        self.engine.write(audit::MakeRoom).await
    }

    async fn expire_audit(&self, age: Duration, limit: usize) -> Result<u64> {
        self.engine.write(audit::Expire { age, limit }).await
    }
}

#[async_trait]
impl<E: Engine> AuditReaders for Database<E> {
    async fn follow_audit(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, AuditRecord)>> {
        self.engine.read(audit::Follow { after, limit }).await
    }

    async fn audit_reader(&self, reader: String) -> Result<Position> {
        self.engine.write(audit::Standing(reader)).await
    }

    async fn advance_audit_reader(&self, reader: String, to: Position) -> Result<bool> {
        self.engine.write(audit::Advance { reader, to }).await
    }
}
