//! `wharf gc plan`: what is on its way out, from repositories and manifests to the blobs that nothing holds any more.

mod others;

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::json;
use wharf_core::blob_life::Stage;
use wharf_core::blobs::Blobs;
use wharf_core::metadata::{
    Freed, Garbage, Going, GoingManifest, MOST_NEEDING, ManifestRules, MarkedBlob,
};
use wharf_oci::Digest;

use super::{Flags, due, rules};
use crate::command::settings::warn;
use crate::command::wiring;

/// How many rows are asked for at once.
const PAGE: usize = 500;

pub(super) async fn execute(flags: &Flags) -> anyhow::Result<()> {
    let loaded = flags.settings.load()?;
    warn(&loaded);
    let rules = rules(&loaded.config);
    let garbage = wiring::metadata::beside_others(&loaded.config).await?.garbage;
    others::repositories(&*garbage, rules.grace, flags.json).await?;
    manifests(&*garbage, rules, flags.json).await?;
    others::unneeded(&*garbage, rules.grace, flags.json).await?;
    let blobs = wiring::blobs::open(&loaded.config).await?.blobs;
    self::blobs(&*garbage, &*blobs, rules.grace, flags.json).await?;
    others::uploads(&*garbage, flags.json).await
}

/// Lists those that the next run deletes, and those that were deleted and wait for their grace to end.
async fn manifests(
    garbage: &dyn Garbage,
    rules: ManifestRules,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut total = Total::default();
    for is_deleted in [false, true] {
        let mut after = None;
        loop {
            let Going { manifests, next } = if is_deleted {
                garbage.list_trash(after, PAGE).await?
            } else {
                garbage.plan_manifests(after, rules, PAGE).await?
            };
            for manifest in &manifests {
                total.add(manifest);
                print_manifest(manifest, rules.grace, as_json)?;
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    if !as_json {
        let Total { manifests, .. } = total;
        let bytes = total.bytes();
        writeln!(
            stdout(),
            "{manifests} manifests are on their way out, {bytes} bytes with their blobs"
        )?;
    }
    Ok(())
}

/// What manifests free together: of a blob that several of them need each one sees the others.
#[derive(Default)]
struct Total {
    manifests: u64,
    needing: BTreeMap<Digest, (Freed, u64)>,
}

impl Total {
    fn add(&mut self, manifest: &GoingManifest) {
        self.manifests += 1;
        for freed in &manifest.frees {
            self.needing.entry(freed.digest).or_insert((*freed, 0)).1 += 1;
        }
    }

    /// The bytes of what only they need.
    fn bytes(&self) -> u64 {
        let only = self
            .needing
            .values()
            .filter(|(freed, going)| freed.needed_by <= *going && freed.needed_by < MOST_NEEDING);
        only.filter_map(|(freed, _)| freed.bytes).sum()
    }
}

fn print_manifest(manifest: &GoingManifest, grace: Duration, as_json: bool) -> anyhow::Result<()> {
    let GoingManifest { repository, digest, deleted_at, frees } = manifest;
    let alone = frees.iter().filter(|freed| freed.needed_by == 1);
    let bytes: u64 = alone.filter_map(|freed| freed.bytes).sum();
    if as_json {
        let due = deleted_at.map(|at| at.after(grace).0);
        let line = json!({
            "kind": "manifest", "repository": repository.as_str(), "digest": digest.to_string(),
            "frees": bytes, "deleted_micros": deleted_at.map(|at| at.0), "due_micros": due,
        });
        return Ok(writeln!(stdout(), "{line}")?);
    }
    let when = match deleted_at {
        Some(at) => format!("was deleted, {}", due(at.after(grace))),
        None => "is deleted by the next run".to_owned(),
    };
    Ok(writeln!(stdout(), "{repository}@{digest}  {bytes:>12}  {when}")?)
}

/// Lists blobs a page at a time, each with the size that the store tells.
async fn blobs(
    garbage: &dyn Garbage,
    blobs: &dyn Blobs,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut after, mut going, mut bytes) = (None, 0_u64, 0_u64);
    loop {
        let page = garbage.list_marked(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        for blob in &page {
            let size = print_blob(blob, blobs, grace, as_json).await?;
            if blob.held_by.is_none() && !blob.reserved {
                going += 1;
                bytes += size;
            }
        }
    }
    if !as_json {
        writeln!(stdout(), "{going} blobs are on their way out, {bytes} bytes")?;
    }
    Ok(())
}

/// Prints a blob and returns its size in bytes.
async fn print_blob(
    blob: &MarkedBlob,
    blobs: &dyn Blobs,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<u64> {
    let MarkedBlob { key, mark, held_by, reserved } = blob;
    let size = blobs.head(key).await?;
    let at = mark.since.after(if mark.stage == Stage::Marked { grace } else { Duration::ZERO });
    let kept = match (held_by, reserved) {
        (Some(repository), _) => Some(format!("{repository} holds it")),
        (None, true) => Some("an upload is about to put it in place".to_owned()),
        (None, false) => None,
    };
    if as_json {
        let line = json!({
            "kind": "blob", "digest": key.digest.to_string(), "incarnation": key.incarnation,
            "size": size, "due_micros": at.0, "kept_because": kept,
        });
        writeln!(stdout(), "{line}")?;
        return Ok(size.unwrap_or_default());
    }
    let when = kept.map_or_else(|| due(at), |kept| format!("stays: {kept}"));
    let size_text = size.map_or("not there".to_owned(), |size| size.to_string());
    writeln!(stdout(), "{}  {size_text:>12}  {when}", key.digest)?;
    Ok(size.unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wharf_oci::{Algorithm, Hasher};

    use super::*;

    fn going(frees: &[(&str, u64)]) -> GoingManifest {
        let freed = |(text, needed_by): &(&str, u64)| Freed {
            digest: Hasher::digest(Algorithm::Sha256, text.as_bytes()),
            bytes: Some(text.len() as u64),
            needed_by: *needed_by,
        };
        GoingManifest {
            repository: "app".parse().unwrap(),
            digest: Hasher::digest(Algorithm::Sha256, b"manifest"),
            deleted_at: None,
            frees: frees.iter().map(freed).collect(),
        }
    }

    #[test]
    fn what_several_manifests_need_is_free_when_all_of_them_go() {
        let mut total = Total::default();
        total.add(&going(&[("alone", 1), ("of two", 2), ("of many", MOST_NEEDING)]));
        assert_eq!(total.bytes(), 5);
        total.add(&going(&[("of two", 2)]));
        assert_eq!((total.manifests, total.bytes()), (2, 11));
    }
}
