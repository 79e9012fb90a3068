//! How long a registry takes to its first reply, and what it holds when it has nothing to do.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::content::Content;
use crate::fixture::{Fixture, push_blob, push_manifest};
use crate::results::{ANONYMOUS, PROPORTIONAL, RESIDENT, Results, TIME, megabytes};
use crate::servers::Subject;
use wharf_bench::usage::{Memory, proportional};

const SUBJECTS: [Subject; 2] = [Subject::Wharf, Subject::Registry];

/// Starts on nothing.
pub const NEW: &str = "start, new folder";
/// Starts on what an earlier one left.
pub const AGAIN: &str = "start, used folder";
/// Memory at rest.
pub const IDLE: &str = "idle, after one small push and pull";

/// Starts each, on a new folder and again on the same.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    for round in 0..fixture.options.starts() {
        for subject in SUBJECTS {
            eprintln!("start, round {}: {}", round + 1, subject.name());
            let folder = fixture.folder("started");
            for measure in [NEW, AGAIN] {
                let server = fixture.empty(subject, &folder)?;
                results.add(measure, TIME, subject, server.started_in.as_secs_f64() * 1e3);
            }
            fs::remove_dir_all(&folder)?;
        }
    }
    Ok(())
}

/// Looks at the memory of each when it has served a little.
pub fn idle(fixture: &Fixture, results: &mut Results) -> Result<()> {
    let content = Content::new(1 << 20);
    for round in 0..fixture.options.rounds() {
        for subject in SUBJECTS {
            eprintln!("idle, round {}: {}", round + 1, subject.name());
            let folder = fixture.folder("idle");
            let server = fixture.empty(subject, &folder)?;
            let blob = content.blob(0);
            let mut connection = server.connect()?;
            push_blob(&mut connection, &blob)?;
            push_manifest(&mut connection, &blob.digest, 1 << 20)?;
            let path = format!("/v2/bench/image/blobs/{}", blob.digest);
            connection.call("GET", &path, "", b"")?.expect(200, "a blob")?;
            drop(connection);
            thread::sleep(Duration::from_secs(2));
            let memory = Memory::of(server.pid());
            results.add(IDLE, RESIDENT, subject, megabytes(memory.resident));
            results.add(IDLE, PROPORTIONAL, subject, megabytes(proportional(server.pid())));
            results.add(IDLE, ANONYMOUS, subject, megabytes(memory.anonymous));
            drop(server);
            fs::remove_dir_all(&folder)?;
        }
    }
    Ok(())
}
