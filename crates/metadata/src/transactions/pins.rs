//! Pins: put, taken away, listed, and asked whether one keeps a manifest.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    KeptBy, MOST_PINS, NoPin, Pin, PinManifest, PinName, PinOutcome, PinTarget, Stood,
    UnpinManifest,
};
use wharf_oci::{Digest, Reference, RepositoryName};

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::holding::hold;
use crate::transactions::tag_history::stood;
use crate::transactions::{audit, repositories, tags};

/// Pins of a repository that have expired keep nothing. They are deleted before whatever they would be in the way of.
pub(crate) async fn forget_expired(
    on: &mut dyn Statements,
    repository: i64,
    now: Timestamp,
) -> Result<()> {
    let sql = "DELETE FROM pins WHERE repository_id = $1 AND expires_at <= $2";
    on.execute(sql, arguments![repository, now]).await.map(drop)
}

/// A pin that keeps a manifest which the repository holds: of it, or of an index above it. Whoever pins writes the rows of
/// all that the pin keeps, so that a transaction that has locked the manifest's row finds the pin, or begins again.
pub(crate) async fn keeping(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<KeptBy>> {
    let rows = on
        .query(
            "WITH RECURSIVE above (digest) AS (
                 SELECT h.digest FROM repository_manifests h WHERE h.repository_id = $1 AND h.digest = $2
                 UNION
                 SELECT m.parent FROM above a JOIN manifest_references m ON m.child = a.digest
                 JOIN repository_manifests h ON h.repository_id = $1 AND h.digest = m.parent)
             SELECT p.name, p.digest FROM above a JOIN pins p ON p.repository_id = $1 AND p.digest = a.digest
             WHERE p.expires_at IS NULL OR p.expires_at > $3 ORDER BY p.name LIMIT 1",
            arguments![repository, digest, now],
        )
        .await?;
    let kept = |row: &Row| Ok(KeptBy { pin: row.parsed(0)?, digest: row.digest(1)? });
    rows.first().map(kept).transpose()
}

/// Whether a pin is on this very manifest. Who asks and then changes a tag on it also writes the manifest's row, as whoever pins
/// does: the later of the two begins again.
pub(crate) async fn is_pinned(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool> {
    let sql = "SELECT 1 FROM pins WHERE repository_id = $1 AND digest = $2
                 AND (expires_at IS NULL OR expires_at > $3) LIMIT 1";
    Ok(!on.query(sql, arguments![repository, digest, now]).await?.is_empty())
}

/// A pin that is in force in a repository, if there is one. Whoever pins changes the repository's row, so that of a pin and what ends them all
/// the later one begins again.
pub(crate) async fn any(
    on: &mut dyn Statements,
    repository: i64,
    now: Timestamp,
) -> Result<Option<KeptBy>> {
    let sql = "SELECT name, digest FROM pins
               WHERE repository_id = $1 AND (expires_at IS NULL OR expires_at > $2)
               ORDER BY name LIMIT 1";
    let rows = on.query(sql, arguments![repository, now]).await?;
    let kept = |row: &Row| Ok(KeptBy { pin: row.parsed(0)?, digest: row.digest(1)? });
    rows.first().map(kept).transpose()
}

fn pin(row: &Row) -> Result<Pin> {
    Ok(Pin {
        name: row.parsed(0)?,
        digest: row.digest(1)?,
        created_by: row.text(2)?.to_owned(),
        created_at: Timestamp(row.int(3)?),
        expires_at: row.optional_int(4)?.map(Timestamp),
    })
}

async fn find(on: &mut dyn Statements, repository: i64, name: &PinName) -> Result<Option<Pin>> {
    let sql = "SELECT name, digest, created_by, created_at, expires_at FROM pins
               WHERE repository_id = $1 AND name = $2";
    let rows = on.query_locked(sql, arguments![repository, name.as_str()]).await?;
    rows.first().map(pin).transpose()
}

#[async_trait]
impl Transaction for PinManifest {
    type Output = PinOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<PinOutcome> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(self.not_found());
        };
        let now = on.now().await?;
        if self.until.is_some_and(|until| until <= now) {
            return Ok(PinOutcome::Refused(NoPin::Past));
        }
        let digest = match self.digest(on, repository, now).await? {
            Ok(digest) => digest,
            Err(outcome) => return Ok(outcome),
        };
        forget_expired(on, repository, now).await?;
        let known = find(on, repository, &self.name).await?;
        if let Some(refused) = known.as_ref().and_then(|known| self.refusal(known, digest)) {
            return Ok(PinOutcome::Refused(refused));
        }
        if known.is_none() && is_full(on, repository).await? {
            return Ok(PinOutcome::Refused(NoPin::Full));
        }
        match hold(on, repository, &digest).await? {
            Some(missing) if missing == digest && matches!(self.target, PinTarget::Digest(_)) => {
                return Ok(self.not_found());
            }
            Some(missing) => return Ok(PinOutcome::Gone(missing)),
            None => {}
        }
        let is_new = known.is_none();
        if known.as_ref().is_none_or(|known| known.expires_at != self.until) {
            self.put(on, repository, digest, now).await?;
        }
        match find(on, repository, &self.name).await? {
            Some(pin) => Ok(PinOutcome::Pinned { pin, is_new }),
            None => Err(wharf_core::StoreError::Corrupt("a pin was not made".into())),
        }
    }
}

/// Parts of it.
trait Put {
    fn not_found(&self) -> PinOutcome;

    /// What is to be pinned, or why nothing is.
    async fn digest(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        now: Timestamp,
    ) -> Result<std::result::Result<Digest, PinOutcome>>;

    /// Why a pin of the name that there is cannot be this one.
    fn refusal(&self, known: &Pin, digest: Digest) -> Option<NoPin>;

    /// Writes the pin, with its event and what the audit log is told. Two that are put at once meet at their name.
    async fn put(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        digest: Digest,
        now: Timestamp,
    ) -> Result<()>;
}

impl Put for PinManifest {
    fn not_found(&self) -> PinOutcome {
        PinOutcome::NotFound(match &self.target {
            PinTarget::Digest(digest) => Reference::Digest(*digest),
            PinTarget::Tag(tag, _) => Reference::Tag(tag.clone()),
        })
    }

    async fn digest(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        now: Timestamp,
    ) -> Result<std::result::Result<Digest, PinOutcome>> {
        Ok(match &self.target {
            PinTarget::Digest(digest) => Ok(*digest),
            PinTarget::Tag(tag, None) => {
                let standing = tags::standing(on, repository, tag).await?;
                standing.map(|standing| standing.digest).ok_or_else(|| self.not_found())
            }
            PinTarget::Tag(_, Some(at)) if *at > now => Err(PinOutcome::Refused(NoPin::ToCome)),
            PinTarget::Tag(tag, Some(at)) => match stood(on, repository, tag, *at).await? {
                Stood::At(then) => Ok(then.digest),
                Stood::Nowhere => Err(self.not_found()),
                Stood::Forgotten(since) => Err(PinOutcome::Forgotten(tag.clone(), since)),
            },
        })
    }

    fn refusal(&self, known: &Pin, digest: Digest) -> Option<NoPin> {
        if known.digest != digest {
            return Some(NoPin::Taken(known.digest));
        }
        let is_shorter = match (known.expires_at, self.until) {
            (None, Some(_)) => true,
            (Some(ends), Some(until)) => until < ends,
            (_, None) => false,
        };
        is_shorter.then_some(NoPin::LastsLonger)
    }

    async fn put(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        digest: Digest,
        now: Timestamp,
    ) -> Result<()> {
        let (name, by) = (self.name.as_str(), self.by.by.as_str());
        // Whoever deletes the repository meanwhile asks whether there is a pin.
        let sql = "UPDATE repositories SET settings_version = settings_version WHERE id = $1";
        on.execute(sql, arguments![repository]).await?;
        on.execute(
            "INSERT INTO pins (repository_id, name, digest, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (repository_id, name) DO UPDATE SET expires_at = excluded.expires_at",
            arguments![repository, name, digest, by, now, self.until],
        )
        .await?;
        let event = Event::Pinned { pin: &self.name, digest: &digest, until: self.until };
        events::record(on, repository, event, by, now).await?;
        let detail = match self.until {
            Some(until) => format!("pin={name} until={until}"),
            None => format!("pin={name}"),
        };
        let target = format!("repository:{}@{digest}", self.repository);
        let namespace = self.repository.namespace();
        audit::record(on, &self.by, "manifest.pin", target, namespace, detail).await
    }
}

/// Whether a repository has as many pins as it may have. Those put at once may be a few more.
async fn is_full(on: &mut dyn Statements, repository: i64) -> Result<bool> {
    let sql = "SELECT count(*) FROM pins WHERE repository_id = $1";
    let rows = on.query(sql, arguments![repository]).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.size(0))? >= MOST_PINS as u64)
}

#[async_trait]
impl Transaction for UnpinManifest {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(false);
        };
        let now = on.now().await?;
        forget_expired(on, repository, now).await?;
        let Some(pin) = find(on, repository, &self.name).await? else { return Ok(false) };
        let sql = "DELETE FROM pins WHERE repository_id = $1 AND name = $2";
        on.execute(sql, arguments![repository, self.name.as_str()]).await?;
        let event = Event::Unpinned { pin: &self.name, digest: &pin.digest };
        events::record(on, repository, event, &self.by.by, now).await?;
        let target = format!("repository:{}@{}", self.repository, pin.digest);
        let (namespace, detail) = (self.repository.namespace(), format!("pin={}", self.name));
        audit::record(on, &self.by, "manifest.unpin", target, namespace, detail).await?;
        Ok(true)
    }
}

/// `Pins::list_pins`
pub(crate) struct List {
    pub(crate) repository: RepositoryName,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Option<Vec<Pin>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(None);
        };
        let (after, now) = (self.after.as_deref().unwrap_or_default(), on.now().await?);
        let sql = "SELECT name, digest, created_by, created_at, expires_at FROM pins
                   WHERE repository_id = $1 AND name > $2 AND (expires_at IS NULL OR expires_at > $3)
                   ORDER BY name LIMIT $4";
        let rows = on.query(sql, arguments![repository, after, now, self.limit]).await?;
        rows.iter().map(pin).collect::<Result<_>>().map(Some)
    }
}
