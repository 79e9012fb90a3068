//! Measures each request on one connection, one after the other.

use std::time::Instant;

use anyhow::Result;
use wharf_bench::figures::percentile;
use wharf_bench::http::Connection;

use crate::random::Random;
use crate::requests::{Kind, Request};
use crate::rows::Rows;
use crate::server::Server;

/// The warm-up has a request for this many that are measured.
const WARM_UP: usize = 5;

/// The least of the warm-up.
const LEAST_WARM_UP: usize = 50;

/// How long a request takes, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// What was asked.
    pub kind: Kind,
    /// The time that half of the requests take at most.
    pub p50: f64,
    /// The time that 99 of 100 take at most.
    pub p99: f64,
}

/// Measures all kinds of requests, `samples` of each, and looks at every reply.
pub fn run(server: &Server, rows: &Rows, samples: usize) -> Result<Vec<Latency>> {
    let mut connection = server.connect()?;
    let mut measured = Vec::new();
    for kind in Kind::ALL {
        eprintln!("  {}", kind.name());
        let warm_up = (samples / WARM_UP).max(LEAST_WARM_UP);
        series(&mut connection, kind, rows, "warm-up", warm_up)?;
        let mut times = series(&mut connection, kind, rows, "measured", samples)?;
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
        measured.push(Latency { kind, p50, p99 });
    }
    Ok(measured)
}

/// The same requests whenever it is run.
fn series(
    connection: &mut Connection,
    kind: Kind,
    rows: &Rows,
    run: &str,
    count: usize,
) -> Result<Vec<f64>> {
    let mut random = Random::new(&[run.len() as u64, kind as u64]);
    (0..count)
        .map(|nth| {
            let request = kind.request(rows, &mut random, run, nth);
            time(connection, &request)
        })
        .collect()
}

/// From the first byte sent to the last one received.
fn time(connection: &mut Connection, request: &Request) -> Result<f64> {
    let Request { method, path, headers, body, .. } = request;
    let begin = Instant::now();
    let (reply, found) = connection.fetch(method, path, headers, body)?;
    let time = begin.elapsed().as_secs_f64() * 1e3;
    request.check(reply, &found)?;
    Ok(time)
}
