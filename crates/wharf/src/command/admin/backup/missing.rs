//! Blobs that metadata need and the store does not have: told with what lacks them, and gone on without where that is
//! accepted.

use std::collections::BTreeSet;
use std::io::{Write, stderr};

use anyhow::bail;
use clap::Args;
use wharf_metadata::backup::{Affected, Missing};

use super::store::Tally;

/// Whether blobs may be missing.
#[derive(Debug, Args)]
pub struct Accepting {
    /// Go on although blobs are missing: what needs them is told, and lacks them until they are pushed again
    #[arg(long)]
    accept_missing: bool,
}

impl Accepting {
    /// What is missing by a tally, and whether that is accepted.
    pub fn missing<'a>(&self, tally: &'a Tally) -> Missing<'a> {
        Missing { blobs: &tally.missing, accepted: self.accept_missing }
    }

    /// Tells what is missing, and a line for each tag that lacks it, or manifest without a tag. Fails where that is not
    /// accepted, for which `instead` happened.
    pub fn tell(
        &self,
        tally: &Tally,
        affected: &BTreeSet<Affected>,
        instead: &str,
    ) -> anyhow::Result<()> {
        for wrong in &tally.told {
            writeln!(stderr(), "{wrong}")?;
        }
        for Affected { repository, tag, manifest, blob } in affected {
            let name = match tag {
                Some(tag) => format!("{repository}:{tag}"),
                None => format!("{repository}@{manifest}"),
            };
            writeln!(stderr(), "{name} lacks {blob}")?;
        }
        let count = tally.missing.len();
        if count > 0 && !self.accept_missing {
            bail!(
                "{instead}: {count} blobs are missing; bring them back into the store, or go on without them by \
                 --accept-missing"
            );
        }
        Ok(())
    }
}
