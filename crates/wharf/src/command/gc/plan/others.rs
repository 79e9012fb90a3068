//! Deleted repositories, blobs that were pushed for nothing, and uploads.

use std::time::Duration;

use serde_json::json;
use wharf_core::clock::{Clock, SystemClock};
use wharf_core::metadata::{Garbage, GoingRepository, StagedUpload, UnneededBlob};

use super::lines::Lines;
use super::{PAGE, due};

/// How many repositories are asked for at once: all blobs of each are looked at.
const REPOSITORIES: usize = 1;

/// Lists deleted repositories, each with what only it holds.
pub(super) async fn repositories(
    garbage: &dyn Garbage,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut after, mut lines) = (None, Lines::new(as_json));
    loop {
        let page = garbage.list_going_repositories(after, REPOSITORIES).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        for repository in &page {
            let GoingRepository { number, name, deleted_at, is_begun, manifests, bytes } =
                repository;
            let mut end = deleted_at.after(grace);
            if *is_begun {
                end = end.min(SystemClock.now());
            }
            let json = || {
                json!({
                    "kind": "repository", "repository": name.as_str(), "number": number,
                    "manifests": manifests, "frees": bytes,
                    "deleted_micros": deleted_at.0, "due_micros": end.0,
                })
            };
            let text = || format!("{name} ({number})  {bytes:>12}  was deleted, {}", due(end));
            lines.add(*bytes, json, text)?;
        }
    }
    lines.end_if_any(|count, bytes| {
        format!("{count} deleted repositories are on their way out, {bytes} bytes of blobs that only they hold")
    })
}

/// Lists the blobs of repositories that nothing in them needs, each with what goes from the store with it.
pub(super) async fn unneeded(
    garbage: &dyn Garbage,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut after, mut lines) = (None, Lines::new(as_json));
    loop {
        let page = garbage.list_unneeded(after, PAGE).await?;
        for blob in &page.blobs {
            let UnneededBlob { repository, digest, bytes, touched_at, is_held_elsewhere } = blob;
            let frees = bytes.filter(|_| !is_held_elsewhere).unwrap_or_default();
            let end = touched_at.after(grace);
            let json = || {
                json!({
                    "kind": "membership", "repository": repository.as_str(),
                    "digest": digest.to_string(), "frees": frees, "due_micros": end.0,
                })
            };
            let text = || {
                let when = due(end);
                format!("{repository} {digest}  {frees:>12}  no manifest needs it, {when}")
            };
            lines.add(frees, json, text)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    lines.end_if_any(|count, bytes| {
        format!("{count} blobs are in repositories whose manifests do not need them, {bytes} bytes of them nowhere else")
    })
}

/// Lists uploads, with what is staged of them until they expire.
pub(super) async fn uploads(garbage: &dyn Garbage, as_json: bool) -> anyhow::Result<()> {
    let (mut after, mut lines) = (None, Lines::new(as_json));
    loop {
        let page = garbage.list_staged(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for upload in &page {
            let StagedUpload { repository, bytes, expires_at, .. } = upload;
            let repository = repository.as_ref().map(|name| name.as_str());
            let json = || {
                json!({
                    "kind": "upload", "repository": repository, "frees": bytes,
                    "due_micros": expires_at.0,
                })
            };
            let of = repository.unwrap_or("a repair");
            let text =
                || format!("{of}, an upload  {bytes:>12}  unless it goes on, {}", due(*expires_at));
            lines.add(*bytes, json, text)?;
        }
    }
    lines.end_if_any(|count, bytes| {
        format!("{count} uploads are open or have expired, {bytes} bytes")
    })
}
