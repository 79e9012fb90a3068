//! What is printed of an adoption: a line for each thing that was left out, and the sum.

use std::io::{self, Write, stdout};

use indicatif::HumanBytes;
use serde_json::{Value, json};
use wharf_core::metadata::{Adoption, AdoptionProgress, AdoptionState, Finding};

/// How many findings are asked for at once.
pub const PAGE: usize = 1000;

/// Prints, for eyes or for programs.
pub struct Report {
    json: bool,
    /// The first line that could not be written.
    failed: Option<io::Error>,
}

impl Report {
    /// A report to stdout.
    pub const fn new(json: bool) -> Self {
        Self { json, failed: None }
    }

    /// Prints something that was left out.
    pub fn left_out(&mut self, finding: &Finding) {
        let Finding { repository, subject, reason } = finding;
        if self.json {
            let line = json!({ "repository": repository, "subject": subject, "reason": reason });
            self.line(&line.to_string());
        } else {
            self.line(&format!("left out: {repository}: {subject}: {reason}"));
        }
    }

    /// Prints the sum of a rehearsal.
    pub fn rehearsed(mut self, source: &str, sum: &AdoptionProgress) -> anyhow::Result<()> {
        if self.json {
            let mut line = numbers(sum);
            line["source"] = source.into();
            line["state"] = "rehearsed".into();
            self.line(&line.to_string());
        } else {
            let AdoptionProgress { repositories, manifests, tags, blobs, bytes, left_out, .. } =
                sum;
            self.line(&format!(
                "{source}: to adopt: {repositories} repositories, {manifests} manifests, {tags} tags; {blobs} blobs to verify ({}); {left_out} to leave out",
                HumanBytes(*bytes)
            ));
        }
        self.end()
    }

    /// Prints how an adoption stands.
    pub fn adopted(mut self, adoption: &Adoption) -> anyhow::Result<()> {
        let Adoption { source, state, progress, .. } = adoption;
        if self.json {
            let mut line = numbers(progress);
            line["source"] = source.as_str().into();
            line["state"] = name(*state).into();
            line["started_at_micros"] = adoption.started_at.0.into();
            line["updated_at_micros"] = adoption.updated_at.0.into();
            self.line(&line.to_string());
        } else {
            self.line(&format!("{source}: {}: {}", name(*state), words(progress)));
        }
        self.end()
    }

    fn line(&mut self, text: &str) {
        if let Err(error) = writeln!(stdout(), "{text}") {
            self.failed.get_or_insert(error);
        }
    }

    fn end(self) -> anyhow::Result<()> {
        self.failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

const fn name(state: AdoptionState) -> &'static str {
    match state {
        AdoptionState::Running => "running",
        AdoptionState::Finished => "finished",
        AdoptionState::Stopped => "stopped",
    }
}

/// How far it is, in a line.
pub fn words(progress: &AdoptionProgress) -> String {
    let AdoptionProgress { repositories, manifests, tags, blobs, bytes, left_out, .. } = progress;
    let of = progress.repositories_total.map(|total| format!(" of {total}")).unwrap_or_default();
    let bytes = HumanBytes(*bytes);
    format!(
        "{repositories}{of} repositories, {manifests} manifests, {tags} tags; {blobs} blobs verified ({bytes}); {left_out} left out"
    )
}

fn numbers(progress: &AdoptionProgress) -> Value {
    json!({
        "repositories_total": progress.repositories_total,
        "repositories": progress.repositories,
        "manifests": progress.manifests,
        "tags": progress.tags,
        "blobs": progress.blobs,
        "bytes": progress.bytes,
        "left_out": progress.left_out,
    })
}
