//! Pulls of the manifest at a constant rate. Each request has its time, whether or not the one before it was
//! answered by then, and its latency counts from that time: a server that stalls does not slow who measures it.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use wharf_bench::figures::percentile;

use crate::fixture::{Fixture, MANIFEST};
use crate::pull::together;
use crate::results::{P50, P99, REQUESTS, Results};
use crate::servers::Server;

const RATE: u32 = 5000;
const CONNECTIONS: u32 = 64;

/// Its name.
pub const NAME: &str = "5,000 manifests/s by tag, held";

/// Pulls by tag.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    let servers: Vec<Server> =
        fixture.servers().map(|subject| fixture.fed(subject)).collect::<Result<_>>()?;
    for round in 0..fixture.options.rounds() {
        for server in &servers {
            eprintln!("{NAME}, round {}: {}", round + 1, server.subject.name());
            let path = fixture.manifest_path(server.subject, true);
            let (answered, mut latencies) = hold(server, &path, fixture.options.hold())?;
            latencies.sort_by(f64::total_cmp);
            let rate = answered as f64 / fixture.options.hold().as_secs_f64();
            results.add(NAME, REQUESTS, server.subject, rate);
            results.add(NAME, P50, server.subject, percentile(&latencies, 0.5));
            results.add(NAME, P99, server.subject, percentile(&latencies, 0.99));
        }
    }
    Ok(())
}

/// How many requests were answered in time, and the latencies of all that were due, in milliseconds. One that
/// was not answered when the time was over has waited until then.
fn hold(server: &Server, path: &str, time: Duration) -> Result<(usize, Vec<f64>)> {
    let all = Mutex::new((0, Vec::new()));
    let headers = format!("Accept: {MANIFEST}\r\n");
    let interval = Duration::from_secs(1) * CONNECTIONS / RATE;
    let begin = Instant::now() + Duration::from_millis(100);
    let end = begin + time;
    together(CONNECTIONS as usize, |index| {
        let mut connection = server.connect()?;
        let mut due = begin + interval * u32::try_from(index)? / CONNECTIONS;
        let (mut answered, mut latencies) = (0, Vec::new());
        while due < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if Instant::now() < end {
                connection.call("GET", path, &headers, b"")?.expect(200, "a manifest")?;
            }
            let now = Instant::now();
            answered += usize::from(now <= end);
            latencies.push((now.min(end) - due).as_secs_f64() * 1e3);
            due += interval;
        }
        let mut all = all.lock().map_err(|_| anyhow!("a client died"))?;
        all.0 += answered;
        all.1.append(&mut latencies);
        Ok(())
    })?;
    all.into_inner().map_err(|_| anyhow!("a client died"))
}
