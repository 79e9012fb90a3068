//! `wharf gc explain`: what becomes of one manifest, and why.

use std::io::{Write, stdout};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use wharf_core::metadata::{Fate, Keeper};
use wharf_oci::{Digest, RepositoryName};

use super::{due, rules};
use crate::command::wiring;

/// The manifest that is asked about.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    flags: super::Flags,
    /// The manifest, as REPOSITORY@DIGEST
    manifest: String,
}

pub(super) async fn execute(Explain { flags, manifest }: &Explain) -> anyhow::Result<()> {
    let (repository, digest) = parse(manifest)?;
    let loaded = flags.settings.load()?;
    super::warn(&loaded);
    let rules = rules(&loaded.config);
    let garbage = wiring::metadata::beside_others(&loaded.config).await?.garbage;
    let fate = garbage.explain_manifest(repository, digest, rules).await?;
    if flags.json {
        let kept_by = match &fate {
            Fate::Stays(keepers) => keepers.iter().map(as_json).collect(),
            _ => Vec::new(),
        };
        let (state, deleted) = match &fate {
            Fate::Stays(_) => ("stays", None),
            Fate::Goes => ("goes", None),
            Fate::Deleted { by, at } => ("deleted", Some((by, at))),
            Fate::Unknown => ("unknown", None),
        };
        let line = json!({
            "manifest": manifest, "state": state, "kept_by": kept_by,
            "deleted_by": deleted.map(|(by, _)| by),
            "due_micros": deleted.map(|(_, at)| at.after(rules.grace).0),
        });
        return Ok(writeln!(stdout(), "{line}")?);
    }
    match fate {
        Fate::Stays(keepers) => {
            writeln!(stdout(), "{manifest} stays:")?;
            for keeper in &keepers {
                writeln!(stdout(), "  {}", in_words(keeper))?;
            }
        }
        Fate::Goes => writeln!(stdout(), "{manifest} goes: the next run deletes it")?,
        Fate::Deleted { by, at } => {
            let when = due(at.after(rules.grace));
            writeln!(stdout(), "{manifest} was deleted by {by}, and {when}")?;
        }
        Fate::Unknown => bail!("{manifest} is not there, and cannot be brought back"),
    }
    Ok(())
}

fn parse(manifest: &str) -> anyhow::Result<(RepositoryName, Digest)> {
    let (repository, digest) = manifest.rsplit_once('@').with_context(|| {
        format!("{manifest:?} names no manifest; it is written REPOSITORY@DIGEST")
    })?;
    let repository = repository.parse().with_context(|| format!("{repository:?}"))?;
    let digest = digest.parse().with_context(|| format!("{digest:?}"))?;
    Ok((repository, digest))
}

fn in_words(keeper: &Keeper) -> String {
    match keeper {
        Keeper::Tag(tag) => format!("the tag {tag} is on it"),
        Keeper::Pin(pin) => format!("the pin {pin} is on it"),
        Keeper::Index(index) => format!("the index {index} needs it"),
        Keeper::Subject(subject) => format!("it is about {subject}, which is there"),
        Keeper::Referrer(referrer) => format!("{referrer} is about it, and is kept"),
        Keeper::Age(until) => {
            format!("it was pushed, or a tag left it, not long ago: until {until}")
        }
        Keeper::NoRule => {
            "nothing says that manifests without a tag go: neither garbage.untagged_after \
                           nor an enabled policy of retention"
                .to_owned()
        }
        Keeper::ReadOnly => "its repository is read-only, or being drained".to_owned(),
    }
}

fn as_json(keeper: &Keeper) -> Value {
    match keeper {
        Keeper::Tag(tag) => json!({ "tag": tag.as_str() }),
        Keeper::Pin(pin) => json!({ "pin": pin.as_str() }),
        Keeper::Index(index) => json!({ "index": index.to_string() }),
        Keeper::Subject(subject) => json!({ "subject": subject.to_string() }),
        Keeper::Referrer(referrer) => json!({ "referrer": referrer.to_string() }),
        Keeper::Age(until) => json!({ "age_until_micros": until.0 }),
        Keeper::NoRule => json!({ "rule": "no rule for manifests without a tag" }),
        Keeper::ReadOnly => json!({ "mode": "read-only" }),
    }
}
