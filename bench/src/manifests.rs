//! Pulls of the manifest, as many as `wrk` gets: 64 connections, one thread.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::fixture::{Fixture, MANIFEST};
use crate::results::{P50, P99, REQUESTS, Results};
use crate::servers::Server;
use wharf_bench::process;

/// Manifests by digest.
pub const BY_DIGEST: &str = "manifests by digest, wrk";
/// Manifests by tag.
pub const BY_TAG: &str = "manifests by tag, wrk";

/// Pulls by digest and by tag; from nginx the same file both times.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    let servers: Vec<Server> =
        fixture.servers().map(|subject| fixture.fed(subject)).collect::<Result<_>>()?;
    for (measure, by_tag) in [(BY_DIGEST, false), (BY_TAG, true)] {
        for round in 0..fixture.options.rounds() {
            for server in &servers {
                eprintln!("{measure}, round {}: {}", round + 1, server.subject.name());
                let path = fixture.manifest_path(server.subject, by_tag);
                let printed = wrk(fixture, server, &path)?;
                let subject = server.subject;
                let found =
                    |label| find(&printed, label).with_context(|| format!("wrk says:\n{printed}"));
                results.add(measure, REQUESTS, subject, found("Requests/sec:")?);
                results.add(measure, P50, subject, found("50%")?);
                results.add(measure, P99, subject, found("99%")?);
            }
        }
    }
    Ok(())
}

/// What `wrk` prints of pulls of `path`.
pub fn wrk(fixture: &Fixture, server: &Server, path: &str) -> Result<String> {
    let mut command = Command::new(&fixture.programs.wrk);
    command
        .args(["-t1", "-c64", "--latency"])
        .arg(format!("-d{}s", fixture.options.wrk().as_secs()))
        .args(["-H", &format!("Accept: {MANIFEST}")])
        .arg(format!("http://{}{path}", server.address));
    let printed = process::output(&mut command)?;
    let failed = ["Non-2xx", "Socket errors"].iter().any(|label| printed.contains(label));
    ensure!(!failed, "not all requests were answered:\n{printed}");
    Ok(printed)
}

/// The number behind `label`, times in milliseconds.
pub fn find(printed: &str, label: &str) -> Option<f64> {
    let text = printed.lines().find_map(|line| line.trim().strip_prefix(label))?.trim();
    let digits = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[digits.len()..] {
        "us" => 1e-3,
        "s" => 1e3,
        "m" => 6e4,
        _ => 1.0,
    };
    Some(digits.parse::<f64>().ok()? * factor)
}
