//! The pieces of another registry that a repository comes to hold: blobs whose bytes were hashed, and tags.

use async_trait::async_trait;
use wharf_core::blob_life;
use wharf_core::metadata::{AdoptBlob, AdoptTag, Adoptable, AdoptedBlob, AdoptedTag, Reason};
use wharf_oci::{Digest, RepositoryName};

use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::garbage::marks;
use crate::transactions::memberships::is_served;
use crate::transactions::tags::{self, Change, Guard};
use crate::transactions::usage::{Limits, charge};
use crate::transactions::writes::{self, Work};
use crate::transactions::{audit, manifests, memberships, repositories};

/// `Adoptions::held_manifests`
pub(crate) struct Held {
    pub(crate) repository: RepositoryName,
    pub(crate) digests: Vec<Digest>,
}

#[async_trait]
impl Transaction for Held {
    type Output = Vec<Digest>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<Digest>> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(Vec::new());
        };
        let mut held = Vec::new();
        for digest in &self.digests {
            if manifests::is_held(on, repository, digest).await? {
                held.push(*digest);
            }
        }
        Ok(held)
    }
}

/// `Adoptions::find_adoptable`
pub(crate) struct Find {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
}

#[async_trait]
impl Transaction for Find {
    type Output = Adoptable;

    /// Taking the mark away comes first of all: from here on, a collector that wants the object begins anew, and has
    /// its grace to wait.
    async fn run(&self, on: &mut dyn Statements) -> Result<Adoptable> {
        let found = writes::enter(on, &self.repository, Work::Change).await?;
        if let Some(repository) = found {
            let sql = concat!(
                "SELECT 1 FROM repository_blobs b
                 WHERE b.repository_id = $1 AND b.blob_digest = $2 AND ",
                is_served!("b")
            );
            if !on.query(sql, arguments![repository, self.digest]).await?.is_empty() {
                return Ok(Adoptable::Held);
            }
        }
        let now = on.now().await?;
        let current = marks::current(on, &self.digest).await?;
        let Some(write) = blob_life::hold(&current) else { return Ok(Adoptable::BeingDeleted) };
        marks::write(on, write, now).await?;
        // What any repository holds was hashed when it came to hold it.
        let sql = "SELECT 1 FROM repository_blobs WHERE blob_digest = $1 LIMIT 1";
        if on.query(sql, arguments![self.digest]).await?.is_empty() {
            return Ok(Adoptable::Unhashed { key: current.key, now });
        }
        let repository = repositories::or_create(on, found, &self.repository, now).await?;
        let size = memberships::size(on, &self.digest).await?;
        let charged = memberships::add(on, repository, &self.digest, size, now).await?;
        charge(on, repository, charged, Limits::All).await?;
        Ok(Adoptable::Shared)
    }
}

#[async_trait]
impl Transaction for AdoptBlob {
    type Output = AdoptedBlob;

    async fn run(&self, on: &mut dyn Statements) -> Result<AdoptedBlob> {
        let now = on.now().await?;
        let digest = &self.key.digest;
        let current = marks::current(on, digest).await?;
        // Its bytes were looked at in the time that a mark has to wait, as an upload's are while it has its key reserved.
        let in_time = now <= self.begun.after(self.within);
        let held = (current.key == self.key && in_time).then(|| blob_life::hold(&current));
        let Some(write) = held.flatten() else {
            return Ok(AdoptedBlob::Lost);
        };
        let found = writes::enter(on, &self.repository, Work::Change).await?;
        marks::write(on, write, now).await?;
        let repository = repositories::or_create(on, found, &self.repository, now).await?;
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        let charged = memberships::add(on, repository, digest, Some(size), now).await?;
        charge(on, repository, charged, Limits::All).await?;
        Ok(AdoptedBlob::Held)
    }
}

#[async_trait]
impl Transaction for AdoptTag {
    type Output = AdoptedTag;

    async fn run(&self, on: &mut dyn Statements) -> Result<AdoptedTag> {
        let Some(repository) = writes::enter(on, &self.repository, Work::Change).await? else {
            return Ok(AdoptedTag::NoManifest);
        };
        let standing = tags::standing(on, repository, &self.tag).await?;
        match &standing {
            Some(standing) if standing.digest == self.digest => return Ok(AdoptedTag::Stands),
            Some(standing) => {
                let sql = "SELECT updated_by FROM tags WHERE repository_id = $1 AND name = $2";
                let rows = on.query(sql, arguments![repository, self.tag.as_str()]).await?;
                let by = rows.first().map(|row| row.text(0)).transpose()?;
                if by.is_none_or(|by| by != self.by.by) {
                    return Ok(AdoptedTag::MovedHere(standing.digest));
                }
            }
            None => {
                let sql =
                    "SELECT 1 FROM tag_history WHERE repository_id = $1 AND name = $2 LIMIT 1";
                let was = on.query(sql, arguments![repository, self.tag.as_str()]).await?;
                if !was.is_empty() {
                    return Ok(AdoptedTag::DeletedHere);
                }
            }
        }
        if !manifests::touch(on, repository, &self.digest).await? {
            return Ok(AdoptedTag::NoManifest);
        }
        let now = on.now().await?;
        let mut guard = Guard::new(Some(repository), &self.repository, now);
        let allowed = match guard.allow(on, &self.tag, standing, Some(self.digest)).await? {
            Ok(Some(allowed)) => allowed,
            Ok(None) => return Ok(AdoptedTag::Stands),
            Err(frozen) => return Ok(AdoptedTag::Frozen(frozen)),
        };
        let change = Change { repository, by: &self.by.by, now, reason: Reason::Pushed };
        change.make(on, &allowed).await?;
        let target = format!("repository:{}@{}", self.repository, self.digest);
        let (namespace, detail) = (self.repository.namespace(), format!("tags={}", self.tag));
        audit::record(on, &self.by, "tag.adopt", target, namespace, detail).await?;
        Ok(AdoptedTag::Stands)
    }
}
