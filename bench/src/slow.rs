//! Many pulls at once by clients who take little: what each of them costs in memory.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::fixture::Fixture;
use crate::results::{ANONYMOUS, FILE, PROPORTIONAL, Results, megabytes};
use crate::servers::{Server, Subject};
use wharf_bench::usage::{Memory, proportional};

/// What each client takes in a second.
const RATE: usize = 50_000;

/// How often in a second it takes some.
const TURNS: usize = 5;

const RUNS: [(Subject, usize); 3] =
    [(Subject::Wharf, 200), (Subject::Registry, 200), (Subject::Wharf, 1000)];

/// The name of the measure with so many clients.
pub fn name(clients: usize) -> String {
    format!("{clients} slow pulls, added memory")
}

/// Each run with a server just started, which did one quick thing before.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    for round in 0..fixture.options.rounds() {
        for (subject, clients) in RUNS {
            eprintln!("{}, round {}: {}", name(clients), round + 1, subject.name());
            let server = fixture.fed(subject)?;
            let path = fixture.manifest_path(subject, false);
            let accept = format!("Accept: {}\r\n", crate::fixture::MANIFEST);
            server.connect()?.call("GET", &path, &accept, b"")?.expect(200, "a manifest")?;
            let [anonymous, file, proportional] = added(fixture, &server, clients)?;
            results.add(&name(clients), ANONYMOUS, subject, anonymous);
            results.add(&name(clients), FILE, subject, file);
            results.add(&name(clients), PROPORTIONAL, subject, proportional);
        }
    }
    Ok(())
}

/// The most that was seen above what there was before, in MB: anonymous, of files, proportional.
fn added(fixture: &Fixture, server: &Server, clients: usize) -> Result<[f64; 3]> {
    thread::sleep(Duration::from_millis(500));
    let look = || {
        let memory = Memory::of(server.pid());
        [memory.anonymous, memory.file, proportional(server.pid())].map(megabytes)
    };
    let before = look();
    let path = fixture.blob_path(server.subject);
    let mut pulls: Vec<TcpStream> =
        (0..clients).map(|_| begin(server, &path)).collect::<Result<_>>()?;
    let mut most = before;
    let mut buffer = vec![0; RATE / TURNS];
    let begin = Instant::now();
    let mut turns: u32 = 0;
    while begin.elapsed() < fixture.options.hold() {
        for pull in &mut pulls {
            take(pull, &mut buffer)?;
        }
        turns += 1;
        if (turns as usize).is_multiple_of(TURNS) {
            let now = look();
            most = std::array::from_fn(|index| now[index].max(most[index]));
        }
        let next = begin + Duration::from_secs(1) * turns / TURNS as u32;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(std::array::from_fn(|index| most[index] - before[index]))
}

/// Begins a pull and waits for the first bytes of its reply.
fn begin(server: &Server, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address)?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    ensure!(&start == b"HTTP/1.1 200", "not a blob: {}", String::from_utf8_lossy(&start));
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Takes what there is, up to a buffer full.
fn take(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut taken = 0;
    while taken < buffer.len() {
        match stream.read(&mut buffer[taken..]) {
            Ok(0) => anyhow::bail!("a slow pull was cut off"),
            Ok(read) => taken += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
