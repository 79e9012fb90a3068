//! How far each pass of the scrub is.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Hashing, Pass, PassPlace, PassState};
use wharf_oci::HashState;

use crate::engine::{Result, Row, Statements, Transaction, arguments};

/// `Integrity::begin_pass`
pub(crate) struct Begin(pub(crate) Pass);

#[async_trait]
impl Transaction for Begin {
    type Output = PassState;

    async fn run(&self, on: &mut dyn Statements) -> Result<PassState> {
        let under_way = find(on).await?.into_iter().find(|(pass, _)| *pass == self.0);
        if let Some((_, state)) = under_way.filter(|(_, state)| state.ended_at.is_none()) {
            return Ok(state);
        }
        let state = PassState {
            begun_at: on.now().await?,
            ended_at: None,
            looked_at: 0,
            bytes: 0,
            found: 0,
            place: PassPlace::default(),
        };
        write(on, self.0, &state).await?;
        Ok(state)
    }
}

/// `Integrity::record_pass`
pub(crate) struct Record {
    pub(crate) pass: Pass,
    pub(crate) state: PassState,
    pub(crate) end: bool,
}

#[async_trait]
impl Transaction for Record {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        let mut state = self.state.clone();
        if self.end {
            state.ended_at = Some(on.now().await?);
            state.place = PassPlace::default();
        }
        write(on, self.pass, &state).await
    }
}

/// `Integrity::passes`
pub(crate) struct List;

#[async_trait]
impl Transaction for List {
    type Output = Vec<(Pass, PassState)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        find(on).await
    }
}

async fn find(on: &mut dyn Statements) -> Result<Vec<(Pass, PassState)>> {
    let rows = on
        .query(
            "SELECT pass, begun_at, ended_at, looked_at, bytes, found, repository_id, digest,
                    hashing_digest, hashing_offset, hashing_state, is_doubted
             FROM scrub_passes ORDER BY pass",
            &[],
        )
        .await?;
    rows.iter().filter_map(|row| state(row).transpose()).collect()
}

/// A pass; none where only nodes of a newer release know it, which go on with it beside this one.
fn state(row: &Row) -> Result<Option<(Pass, PassState)>> {
    let name = row.text(0)?;
    let Some(pass) = Pass::ALL.into_iter().find(|pass| pass.name() == name) else {
        return Ok(None);
    };
    let begun = Timestamp(row.int(1)?);
    let hashing = match row.optional_digest(8)? {
        Some(digest) => Some(Hashing {
            digest,
            begun,
            offset: row.size(9)?,
            state: HashState::from_bytes(row.bytes(10)?.to_vec()),
        }),
        None => None,
    };
    let place = PassPlace {
        repository: row.optional_int(6)?,
        digest: row.optional_digest(7)?,
        hashing,
        is_doubted: row.int(11)? == 1,
    };
    let state = PassState {
        begun_at: begun,
        ended_at: row.optional_int(2)?.map(Timestamp),
        looked_at: row.size(3)?,
        bytes: row.size(4)?,
        found: row.size(5)?,
        place,
    };
    Ok(Some((pass, state)))
}

async fn write(on: &mut dyn Statements, pass: Pass, state: &PassState) -> Result<()> {
    let PassPlace { repository, digest, hashing, is_doubted } = &state.place;
    let hashing = hashing.as_ref();
    on.execute(
        "INSERT INTO scrub_passes
             (pass, begun_at, ended_at, looked_at, bytes, found, repository_id, digest,
              hashing_digest, hashing_offset, hashing_state, is_doubted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (pass) DO UPDATE SET
             begun_at = excluded.begun_at, ended_at = excluded.ended_at,
             looked_at = excluded.looked_at, bytes = excluded.bytes, found = excluded.found,
             repository_id = excluded.repository_id, digest = excluded.digest,
             hashing_digest = excluded.hashing_digest, hashing_offset = excluded.hashing_offset,
             hashing_state = excluded.hashing_state, is_doubted = excluded.is_doubted",
        arguments![
            pass.name(),
            state.begun_at,
            state.ended_at,
            state.looked_at,
            state.bytes,
            state.found,
            *repository,
            *digest,
            hashing.map(|hashing| hashing.digest),
            hashing.map(|hashing| i64::try_from(hashing.offset).unwrap_or(i64::MAX)),
            hashing.map(|hashing| hashing.state.as_bytes()),
            i64::from(*is_doubted),
        ],
    )
    .await
    .map(drop)
}
