//! `wharf gc plan`: what is on its way out, from repositories and manifests to the blobs that nothing holds any more.

mod lines;
mod others;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use wharf_core::blob_life::Stage;
use wharf_core::blobs::Blobs;
use wharf_core::metadata::{
    Freed, Garbage, Going, GoingManifest, MOST_NEEDING, ManifestRules, MarkedBlob,
};
use wharf_oci::Digest;

use self::lines::Lines;
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
    let (mut total, mut lines) = (Total::default(), Lines::new(as_json));
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
                add_manifest(&mut lines, manifest, rules.grace)?;
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    lines.end(|manifests, _| {
        let bytes = total.bytes();
        format!("{manifests} manifests are on their way out, {bytes} bytes with their blobs")
    })
}

/// What manifests free together: of a blob that several of them need each one sees the others.
#[derive(Default)]
struct Total {
    needing: BTreeMap<Digest, (Freed, u64)>,
}

impl Total {
    fn add(&mut self, manifest: &GoingManifest) {
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

fn add_manifest(
    lines: &mut Lines,
    manifest: &GoingManifest,
    grace: Duration,
) -> anyhow::Result<()> {
    let GoingManifest { repository, digest, deleted_at, frees } = manifest;
    let alone = frees.iter().filter(|freed| freed.needed_by == 1);
    let bytes: u64 = alone.filter_map(|freed| freed.bytes).sum();
    let end = deleted_at.map(|at| at.after(grace));
    let json = || {
        json!({
            "kind": "manifest", "repository": repository.as_str(), "digest": digest.to_string(),
            "frees": bytes, "deleted_micros": deleted_at.map(|at| at.0),
            "due_micros": end.map(|end| end.0),
        })
    };
    let text = || {
        let when = match end {
            Some(end) => format!("was deleted, {}", due(end)),
            None => "is deleted by the next run".to_owned(),
        };
        format!("{repository}@{digest}  {bytes:>12}  {when}")
    };
    lines.add(bytes, json, text)
}

/// Lists blobs a page at a time, each with the size that the store tells.
async fn blobs(
    garbage: &dyn Garbage,
    blobs: &dyn Blobs,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut after, mut lines) = (None, Lines::new(as_json));
    loop {
        let page = garbage.list_marked(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        for blob in &page {
            add_blob(&mut lines, blob, blobs.head(&blob.key).await?, grace)?;
        }
    }
    lines.end(|count, bytes| format!("{count} blobs are on their way out, {bytes} bytes"))
}

/// A blob that goes, or stays, and the size of its object.
fn add_blob(
    lines: &mut Lines,
    blob: &MarkedBlob,
    size: Option<u64>,
    grace: Duration,
) -> anyhow::Result<()> {
    let MarkedBlob { key, mark, held_by, reserved } = blob;
    let at = mark.since.after(if mark.stage == Stage::Marked { grace } else { Duration::ZERO });
    let kept = match (held_by, reserved) {
        (Some(repository), _) => Some(format!("{repository} holds it")),
        (None, true) => Some("an upload is about to put it in place".to_owned()),
        (None, false) => None,
    };
    let json = || {
        json!({
            "kind": "blob", "digest": key.digest.to_string(), "incarnation": key.incarnation,
            "size": size, "due_micros": at.0, "kept_because": kept,
        })
    };
    let text = || {
        let when = kept.as_ref().map_or_else(|| due(at), |kept| format!("stays: {kept}"));
        let size = size.map_or("not there".to_owned(), |size| size.to_string());
        format!("{}  {size:>12}  {when}", key.digest)
    };
    if kept.is_some() {
        lines.print(json, text)
    } else {
        lines.add(size.unwrap_or_default(), json, text)
    }
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
        assert_eq!(total.bytes(), 11);
    }
}
