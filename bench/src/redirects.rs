//! Pulls of the large blob that a node answers with a redirect to S3: how many, and what each costs the node.

use anyhow::{Context, Result, ensure};
use wharf_bench::http::Connection;

use crate::fixture::Fixture;
use crate::manifests::{find, wrk};
use crate::results::{EACH, P50, P99, REQUESTS, Results};
use crate::servers::{Server, Subject};
use wharf_bench::usage::processor;

/// Its name.
pub const NAME: &str = "redirect pulls, wrk";

/// From a node that redirects.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    let redirecting = [("WHARF_DELIVERY_MODE", "redirect".to_owned())];
    let server = fixture.fed_with(Subject::Shared, &redirecting)?;
    let path = fixture.blob_path(Subject::Shared);
    follow(fixture, &server, &path)?;
    for round in 0..fixture.options.rounds() {
        eprintln!("{NAME}, round {}", round + 1);
        let before = processor(server.pid())?;
        let printed = wrk(fixture, &server, &path)?;
        let seconds = processor(server.pid())? - before;
        let found = |label| find(&printed, label).with_context(|| format!("wrk says:\n{printed}"));
        let count = printed.lines().find_map(|line| line.trim().split_once(" requests in "));
        let count: f64 = count.with_context(|| format!("wrk says:\n{printed}"))?.0.parse()?;
        results.add(NAME, REQUESTS, Subject::Shared, found("Requests/sec:")?);
        results.add(NAME, P50, Subject::Shared, found("50%")?);
        results.add(NAME, P99, Subject::Shared, found("99%")?);
        results.add(NAME, EACH, Subject::Shared, seconds * 1e3 / count);
    }
    Ok(())
}

/// A redirect leads to the whole blob.
fn follow(fixture: &Fixture, server: &Server, path: &str) -> Result<()> {
    let reply = server.connect()?.ask("GET", path, "", b"")?.expect(307, "a redirected pull")?;
    let target = reply.location.context("a redirect without a location")?;
    let mut connection = Connection::open(fixture.engines()?.s3_address()?)?;
    let reply = connection.ask("GET", &target, "", b"")?.expect(200, "a pull from S3")?;
    ensure!(reply.length == fixture.options.size(), "a blob of {} bytes", reply.length);
    Ok(())
}
