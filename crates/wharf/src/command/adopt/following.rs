//! Waiting for the end of an adoption, and telling meanwhile how far it is.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};
use wharf_core::metadata::{Adoption, AdoptionState, Adoptions, Jobs};

use super::report::words;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a line is printed while it goes on.
const TELLING: Duration = Duration::from_secs(5);

/// After how long without a word the nodes are doubted.
const SILENCE: Duration = Duration::from_secs(60);

/// Makes the job of it due. One that runs may be about to end, without having seen this adoption: then it is asked for
/// again, until somebody works on it.
pub async fn wake(jobs: &dyn Jobs, adoptions: &dyn Adoptions, id: i64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !jobs.hasten_job(wharf_jobs::adoption_job()).await? {
        let last = adoptions.last_adoption().await?;
        let is_worked_on = last.is_none_or(|last| last.id != id || last.version > 0);
        if is_worked_on || begun.elapsed() >= SILENCE {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Waits until the adoption has ended, however it does. Whoever ends the command ends nothing else.
pub async fn to_its_end(adoptions: &dyn Adoptions, id: i64) -> anyhow::Result<Adoption> {
    let (mut version, mut moved, mut told, mut doubted) =
        (0, Instant::now(), Instant::now(), false);
    loop {
        let Some(adoption) = adoptions.last_adoption().await?.filter(|it| it.id == id) else {
            bail!("the adoption has ended, and another was begun; `wharf adopt --status` shows it");
        };
        if adoption.state != AdoptionState::Running {
            return Ok(adoption);
        }
        if adoption.version != version {
            (version, moved, doubted) = (adoption.version, Instant::now(), false);
            if told.elapsed() >= TELLING {
                eprintln!("{}", words(&adoption.progress));
                told = Instant::now();
            }
        } else if moved.elapsed() >= SILENCE && !doubted {
            eprintln!(
                "no node has worked on it for {SILENCE:?}: one of the role jobs must run with the same blobs.adopted; \
                 `wharf jobs list` tells what failed"
            );
            doubted = true;
        }
        sleep(PAUSE).await;
    }
}
