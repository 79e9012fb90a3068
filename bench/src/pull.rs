//! Pulls of the large blob, by clients that read it into one buffer each and look at nothing.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use crate::fixture::Fixture;
use crate::results::{PEAK, PEAK_ANONYMOUS, PROCESSOR, RATE, Results, megabytes};
use crate::servers::{Server, Subject};
use wharf_bench::usage::{Cost, Meter};

/// The buffer of each client. The kernel copies into it: what comes is not dropped unread.
const BUFFER: usize = 1 << 20;

/// The name of the measure with so many clients.
pub fn name(clients: usize) -> String {
    if clients == 1 { "pull, 1 client".to_owned() } else { format!("pull, {clients} at once") }
}

/// Pulls with 1 client and with 8.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    let servers: Vec<Server> =
        fixture.servers().map(|subject| fixture.fed(subject)).collect::<Result<_>>()?;
    for server in &servers {
        // Into the page cache.
        pull(fixture, server, 1)?;
    }
    for clients in [1, 8] {
        for round in 0..fixture.options.rounds() {
            for server in &servers {
                eprintln!("{}, round {}: {}", name(clients), round + 1, server.subject.name());
                let meter = Meter::start(server.pid())?;
                let begin = Instant::now();
                pull(fixture, server, clients)?;
                let seconds = begin.elapsed().as_secs_f64();
                let bytes = fixture.options.size() * clients as u64;
                add(results, &name(clients), server.subject, bytes, seconds, meter.finish()?);
            }
        }
    }
    Ok(())
}

/// Adds how fast `bytes` went, and at what cost.
pub fn add(
    results: &mut Results,
    measure: &str,
    subject: Subject,
    bytes: u64,
    seconds: f64,
    cost: Cost,
) {
    let gibibytes = bytes as f64 / f64::from(1 << 30);
    results.add(measure, RATE, subject, megabytes(bytes) / seconds);
    results.add(measure, PROCESSOR, subject, cost.processor / gibibytes);
    results.add(measure, PEAK, subject, megabytes(cost.peak));
    results.add(measure, PEAK_ANONYMOUS, subject, megabytes(cost.anonymous));
}

fn pull(fixture: &Fixture, server: &Server, clients: usize) -> Result<()> {
    let path = fixture.blob_path(server.subject);
    together(clients, |_| {
        let mut buffer = vec![0; BUFFER];
        let mut connection = server.connect()?;
        let reply = connection.ask("GET", &path, "", b"")?.expect(200, "pull")?;
        ensure!(reply.length == fixture.options.size(), "a blob of {} bytes", reply.length);
        connection.discard(reply.length, &mut buffer)
    })
}

/// Runs `work` on so many threads, which begin together.
pub fn together(count: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let barrier = Barrier::new(count);
    thread::scope(|scope| {
        let begin = |index| {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(index)
            })
        };
        let threads: Vec<_> = (0..count).map(begin).collect();
        let mut ends = threads.into_iter().map(|thread| thread.join());
        ends.try_for_each(|end| end.map_err(|_| anyhow!("a client died"))?)
    })
}
