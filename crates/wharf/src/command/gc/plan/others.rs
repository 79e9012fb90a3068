//! Deleted repositories, blobs that were pushed for nothing, and uploads.

use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::json;
use wharf_core::clock::{Clock, SystemClock};
use wharf_core::metadata::{Garbage, GoingRepository, StagedUpload, UnneededBlob};

use super::PAGE;
use crate::command::gc::due;

/// How many repositories are asked for at once: all blobs of each are looked at.
const REPOSITORIES: usize = 1;

/// Lists deleted repositories, each with what only it holds.
pub(super) async fn repositories(
    garbage: &dyn Garbage,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut after, mut count, mut total) = (None, 0_u64, 0);
    loop {
        let page = garbage.list_going_repositories(after, REPOSITORIES).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        for repository in &page {
            let GoingRepository { number, name, deleted_at, is_begun, manifests, bytes } =
                repository;
            count += 1;
            total += bytes;
            let end = if *is_begun {
                SystemClock.now().min(deleted_at.after(grace))
            } else {
                deleted_at.after(grace)
            };
            if as_json {
                let line = json!({
                    "kind": "repository", "repository": name.as_str(), "number": number,
                    "manifests": manifests, "frees": bytes,
                    "deleted_micros": deleted_at.0, "due_micros": end.0,
                });
                writeln!(stdout(), "{line}")?;
            } else {
                let when = due(end);
                writeln!(stdout(), "{name} ({number})  {bytes:>12}  was deleted, {when}")?;
            }
        }
    }
    if !as_json && count > 0 {
        writeln!(
            stdout(),
            "{count} deleted repositories are on their way out, {total} bytes of blobs that only they hold"
        )?;
    }
    Ok(())
}

/// Lists the blobs of repositories that nothing in them needs, each with what goes from the store with it.
pub(super) async fn unneeded(
    garbage: &dyn Garbage,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut after, mut count, mut total) = (None, 0_u64, 0);
    loop {
        let page = garbage.list_unneeded(after, PAGE).await?;
        for blob in &page.blobs {
            let UnneededBlob { repository, digest, bytes, touched_at, is_held_elsewhere } = blob;
            let frees = bytes.filter(|_| !is_held_elsewhere).unwrap_or_default();
            count += 1;
            total += frees;
            let end = touched_at.after(grace);
            if as_json {
                let line = json!({
                    "kind": "membership", "repository": repository.as_str(),
                    "digest": digest.to_string(), "frees": frees, "due_micros": end.0,
                });
                writeln!(stdout(), "{line}")?;
            } else {
                let when = due(end);
                writeln!(
                    stdout(),
                    "{repository} {digest}  {frees:>12}  no manifest needs it, {when}"
                )?;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if !as_json && count > 0 {
        writeln!(
            stdout(),
            "{count} blobs are in repositories whose manifests do not need them, {total} bytes of them nowhere else"
        )?;
    }
    Ok(())
}

/// Lists uploads, with what is staged of them until they expire.
pub(super) async fn uploads(garbage: &dyn Garbage, as_json: bool) -> anyhow::Result<()> {
    let (mut after, mut count, mut total) = (None, 0_u64, 0);
    loop {
        let page = garbage.list_staged(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for upload in &page {
            let StagedUpload { repository, bytes, expires_at, .. } = upload;
            count += 1;
            total += bytes;
            let repository = repository.as_ref().map(|name| name.as_str());
            if as_json {
                let line = json!({
                    "kind": "upload", "repository": repository, "frees": bytes,
                    "due_micros": expires_at.0,
                });
                writeln!(stdout(), "{line}")?;
            } else {
                let (of, when) = (repository.unwrap_or("a repair"), due(*expires_at));
                writeln!(stdout(), "{of}, an upload  {bytes:>12}  unless it goes on, {when}")?;
            }
        }
    }
    if !as_json && count > 0 {
        writeln!(stdout(), "{count} uploads are open or have expired, {total} bytes")?;
    }
    Ok(())
}
