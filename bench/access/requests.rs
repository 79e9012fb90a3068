//! What a token costs a request on its way through the real program: processor time of one that is verified beside one
//! to a registry that serves everyone.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wharf_bench::http::Connection;
use wharf_bench::process::{Guarded, free_address};
use wharf_bench::usage::processor;

use crate::Figure;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most that a token may add to a request, in microseconds.
const MOST: f64 = 30.0;

/// Asks both for what every client asks first.
pub fn measure(wharf: &Path, folder: &Path, samples: usize) -> Result<Vec<Figure>> {
    let open = cost(wharf, &folder.join("open"), false, samples)?;
    let guarded = cost(wharf, &folder.join("guarded"), true, samples)?;
    let added = guarded - open;
    Ok(vec![
        Figure::new("a request to a registry that serves everyone", open, "µs of CPU"),
        Figure::new("a request with a token", guarded, "µs of CPU"),
        Figure::new("what the token adds", added, "µs of CPU").goal("< 30 µs", added < MOST),
    ])
}

/// The processor time of a request, in microseconds.
fn cost(wharf: &Path, folder: &Path, guarded: bool, samples: usize) -> Result<f64> {
    let (process, address) = serve(wharf, folder, guarded)?;
    let mut connection = Connection::open(address)?;
    let mut headers = String::new();
    if guarded {
        let (reply, body) = connection.fetch("GET", "/token", "", b"")?;
        reply.expect(200, "a token")?;
        let reply: serde_json::Value = serde_json::from_slice(&body)?;
        let token = reply["access_token"].as_str().context("a reply without a token")?;
        headers = format!("Authorization: Bearer {token}\r\n");
    }
    let mut ask = |times: usize| -> Result<()> {
        for _ in 0..times {
            connection.call("GET", "/v2/", &headers, b"")?.expect(200, "GET /v2/")?;
        }
        Ok(())
    };
    ask(samples / 5)?;
    let before = processor(process.pid())?;
    ask(samples)?;
    Ok((processor(process.pid())? - before) * 1e6 / samples as f64)
}

fn serve(wharf: &Path, folder: &Path, guarded: bool) -> Result<(Guarded, SocketAddr)> {
    std::fs::create_dir_all(folder)?;
    let address = free_address()?;
    let mut command = Command::new(wharf);
    command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder);
    let others = std::env::vars_os().map(|(variable, _)| variable);
    for variable in others.filter(|it| it.to_string_lossy().starts_with("WHARF_")) {
        command.env_remove(variable);
    }
    command.env("WHARF_ACCESS_CONTROL", guarded.to_string()).env("WHARF_LOG_ACCESS", "off");
    command.stdout(Stdio::null()).stderr(File::create(folder.with_extension("log"))?);
    let begin = Instant::now();
    let mut process = Guarded::spawn(&mut command)?;
    while Connection::open(address).is_err() {
        ensure!(
            !process.has_ended() && begin.elapsed() < PATIENCE,
            "wharf did not start: {}",
            std::fs::read_to_string(folder.with_extension("log")).unwrap_or_default()
        );
        thread::sleep(Duration::from_millis(1));
    }
    Ok((process, address))
}
