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
        for one in affected {
            writeln!(stderr(), "{}", line(one))?;
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

fn line(affected: &Affected) -> String {
    let Affected { repository, is_deleted, tag, manifest, blob } = affected;
    let name = match tag {
        Some(tag) => format!("{repository}:{tag}"),
        None => format!("{repository}@{manifest}"),
    };
    let deleted = if *is_deleted { " (deleted)" } else { "" };
    format!("{name}{deleted} lacks {blob}")
}

#[cfg(test)]
mod tests {
    use wharf_oci::{Algorithm, Hasher};

    use super::*;

    #[test]
    fn a_line_says_what_lacks_a_blob_and_whether_it_is_there_still() {
        let digest = |text: &str| Hasher::digest(Algorithm::Sha256, text.as_bytes());
        let mut affected = Affected {
            repository: "team/app".into(),
            is_deleted: false,
            tag: Some("v1".into()),
            manifest: digest("manifest"),
            blob: digest("blob"),
        };
        assert_eq!(line(&affected), format!("team/app:v1 lacks {}", digest("blob")));
        affected.is_deleted = true;
        affected.tag = None;
        let expected =
            format!("team/app@{} (deleted) lacks {}", digest("manifest"), digest("blob"));
        assert_eq!(line(&affected), expected);
    }
}
