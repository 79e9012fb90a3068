//! Where an adoption stands: begun once at a time, recorded by whoever saw its last record, stopped, and what it found.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    Adoption, AdoptionProgress, AdoptionState, AuditEntry, AuditOutcome, Finding, Hashing,
    MOST_FINDINGS, RecordAdoption, StartAdoption, StartedAdoption,
};
use wharf_oci::HashState;

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event, Of};

/// The last adoption: the one that runs, where one does.
const LAST: &str = "SELECT id, source, pattern, state, version, started_at, updated_at,
         repositories_total, repositories, manifests, tags, blobs, bytes, left_out, done_up_to,
         hashing_digest, hashing_begun, hashing_offset, hashing_state
     FROM adoptions ORDER BY id DESC LIMIT 1";

fn state(name: &str) -> Result<AdoptionState> {
    match name {
        "running" => Ok(AdoptionState::Running),
        "finished" => Ok(AdoptionState::Finished),
        "stopped" => Ok(AdoptionState::Stopped),
        _ => Err(StoreError::Corrupt(format!("{name:?} is no state of an adoption"))),
    }
}

fn adoption(row: &Row) -> Result<Adoption> {
    let pattern = row.text(2)?;
    let total = row.optional_int(7)?.and_then(|total| u64::try_from(total).ok());
    let hashing = match row.optional_int(16)? {
        None => None,
        Some(begun) => Some(Hashing {
            digest: row.digest(15)?,
            begun: Timestamp(begun),
            offset: row.size(17)?,
            state: HashState::from_bytes(row.bytes(18)?.to_vec()),
        }),
    };
    Ok(Adoption {
        id: row.int(0)?,
        source: row.text(1)?.to_owned(),
        repositories: if pattern.is_empty() { None } else { Some(row.parsed(2)?) },
        state: state(row.text(3)?)?,
        version: row.int(4)?,
        started_at: Timestamp(row.int(5)?),
        updated_at: Timestamp(row.int(6)?),
        progress: AdoptionProgress {
            repositories_total: total,
            repositories: row.size(8)?,
            manifests: row.size(9)?,
            tags: row.size(10)?,
            blobs: row.size(11)?,
            bytes: row.size(12)?,
            left_out: row.size(13)?,
            done_up_to: row.optional_text(14)?,
            hashing,
        },
    })
}

async fn last(on: &mut dyn Statements) -> Result<Option<Adoption>> {
    let rows = on.query(LAST, &[]).await?;
    rows.first().map(adoption).transpose()
}

/// `Adoptions::last_adoption`
pub(crate) struct Last;

#[async_trait]
impl Transaction for Last {
    type Output = Option<Adoption>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        last(on).await
    }
}

#[async_trait]
impl Transaction for StartAdoption {
    type Output = StartedAdoption;

    async fn run(&self, on: &mut dyn Statements) -> Result<StartedAdoption> {
        let now = on.now().await?;
        on.execute("DELETE FROM adoptions WHERE state <> 'running'", &[]).await?;
        // Two that begin at once meet at the index of those that run.
        let added = on
            .execute(
                "INSERT INTO adoptions
                     (source, pattern, state, version, started_at, updated_at)
                 VALUES ($1, $2, 'running', 0, $3, $4) ON CONFLICT DO NOTHING",
                arguments![
                    self.source.as_str(),
                    self.repositories.as_ref().map(ToString::to_string).unwrap_or_default(),
                    now,
                    now,
                ],
            )
            .await?;
        let found = last(on).await?;
        let found = found.ok_or_else(|| StoreError::Corrupt("an adoption was not made".into()))?;
        if added == 0 {
            return Ok(StartedAdoption::Running(found));
        }
        write_down(on, &self.by, "adoption.start", &found).await?;
        let event = Event::AdoptionStarted(&found);
        events::record_of(on, Of::Registry, event, &self.by.by, now).await?;
        Ok(StartedAdoption::Started(found))
    }
}

/// `Adoptions::stop_adoption`
pub(crate) struct Stop {
    pub(crate) by: Actor,
}

#[async_trait]
impl Transaction for Stop {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let stopped = on
            .execute(
                "UPDATE adoptions SET state = 'stopped', version = version + 1, updated_at = $1
                 WHERE state = 'running'",
                arguments![now],
            )
            .await?;
        if let (Some(found), true) = (last(on).await?, stopped > 0) {
            write_down(on, &self.by, "adoption.stop", &found).await?;
            let event = Event::AdoptionStopped(&found);
            events::record_of(on, Of::Registry, event, &self.by.by, now).await?;
        }
        Ok(stopped > 0)
    }
}

async fn write_down(
    on: &mut dyn Statements,
    by: &Actor,
    action: &str,
    adoption: &Adoption,
) -> Result<()> {
    let only = adoption.repositories.as_ref();
    let entry = AuditEntry {
        by: by.clone(),
        action: action.to_owned(),
        target: format!("store:{}", adoption.source),
        namespace: None,
        outcome: AuditOutcome::Done,
        detail: only.map(|only| format!("repositories={only}")).unwrap_or_default(),
    };
    audit::write(on, &entry).await
}

#[async_trait]
impl Transaction for RecordAdoption {
    type Output = Option<i64>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Option<i64>> {
        let now = on.now().await?;
        let AdoptionProgress { hashing, .. } = &self.progress;
        let recorded = on
            .execute(
                "UPDATE adoptions SET state = $1, version = version + 1, updated_at = $2,
                     repositories_total = $3, repositories = $4, manifests = $5, tags = $6, blobs = $7,
                     bytes = $8, left_out = $9, done_up_to = $10, hashing_digest = $11,
                     hashing_begun = $12, hashing_offset = $13, hashing_state = $14
                 WHERE id = $15 AND version = $16 AND state = 'running'",
                arguments![
                    if self.finished { "finished" } else { "running" },
                    now,
                    self.progress.repositories_total.map(|it| i64::try_from(it).unwrap_or(i64::MAX)),
                    self.progress.repositories,
                    self.progress.manifests,
                    self.progress.tags,
                    self.progress.blobs,
                    self.progress.bytes,
                    self.progress.left_out,
                    self.progress.done_up_to.clone(),
                    hashing.as_ref().map(|it| it.digest),
                    hashing.as_ref().map(|it| it.begun),
                    hashing.as_ref().map(|it| i64::try_from(it.offset).unwrap_or(i64::MAX)),
                    hashing.as_ref().map(|it| it.state.as_bytes()),
                    self.id,
                    self.version,
                ],
            )
            .await?;
        if recorded == 0 {
            return Ok(None);
        }
        self.add_findings(on).await?;
        if self.finished
            && let Some(found) = last(on).await?
        {
            let by = Actor::system();
            write_down(on, &by, "adoption.finish", &found).await?;
            let event = Event::AdoptionFinished(&found);
            events::record_of(on, Of::Registry, event, &by.by, now).await?;
        }
        Ok(Some(self.version + 1))
    }
}

/// A part of the record.
trait Findings {
    /// Adds what was found, as far as there is room.
    async fn add_findings(&self, on: &mut dyn Statements) -> Result<()>;
}

impl Findings for RecordAdoption {
    async fn add_findings(&self, on: &mut dyn Statements) -> Result<()> {
        if self.findings.is_empty() {
            return Ok(());
        }
        let sql = "SELECT count(*) FROM adoption_findings WHERE adoption_id = $1";
        let rows = on.query(sql, arguments![self.id]).await?;
        let there = rows.first().map_or(Ok(0), |row| row.size(0))?;
        let room = (MOST_FINDINGS as u64).saturating_sub(there);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let rows: Vec<_> = self.findings.iter().take(room).map(|it| row(self.id, it)).collect();
        on.execute_each(
            "INSERT INTO adoption_findings (adoption_id, repository, subject, reason)
             VALUES ($1, $2, $3, $4) ON CONFLICT (adoption_id, repository, subject) DO NOTHING",
            &rows,
        )
        .await
        .map(drop)
    }
}

fn row(adoption: i64, finding: &Finding) -> Vec<crate::engine::Value> {
    let Finding { repository, subject, reason } = finding;
    arguments![adoption, repository.as_str(), subject.as_str(), reason.as_str()].to_vec()
}

/// `Adoptions::list_findings`
pub(crate) struct ListFindings {
    pub(crate) adoption: i64,
    pub(crate) after: Option<(String, String)>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ListFindings {
    type Output = Vec<Finding>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<Finding>> {
        let (repository, subject) = self.after.clone().unwrap_or_default();
        let rows = on
            .query(
                "SELECT repository, subject, reason FROM adoption_findings
                 WHERE adoption_id = $1 AND (repository, subject) > ($2, $3)
                 ORDER BY repository, subject LIMIT $4",
                arguments![self.adoption, repository, subject, self.limit],
            )
            .await?;
        let finding = |row: &Row| {
            Ok(Finding {
                repository: row.text(0)?.to_owned(),
                subject: row.text(1)?.to_owned(),
                reason: row.text(2)?.to_owned(),
            })
        };
        rows.iter().map(finding).collect()
    }
}
