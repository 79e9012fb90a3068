//! Pushes of distinct large blobs, each registry new and empty, beside `dd` to the same disk or the client's own
//! upload to the same S3 server.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::content::Blob;
use crate::fixture::{Fixture, push_blob};
use crate::multipart;
use crate::pull::{add, together};
use crate::results::{PROCESSOR, RATE, Results, megabytes};
use crate::servers::{Server, Subject};
use wharf_bench::engines::Place;
use wharf_bench::process::Guarded;
use wharf_bench::usage::{Meter, processor_of_ended};

/// The name of the measure with so many clients.
pub fn name(clients: usize) -> String {
    if clients == 1 { "push, 1 client".to_owned() } else { format!("push, {clients} at once") }
}

/// Pushes with 1 client and with 8.
pub fn run(fixture: &Fixture, results: &mut Results) -> Result<()> {
    let source = fixture.folder("source");
    fixture.content.blob(0).write(&source)?;
    let mut seed = 1;
    for clients in [1, 8] {
        for round in 0..fixture.options.rounds() {
            // nginx takes none.
            let subjects = fixture.comparison.subjects().filter(|it| *it != Subject::Nginx);
            for subject in subjects {
                eprintln!("{}, round {}: {}", name(clients), round + 1, subject.name());
                let folder = fixture.folder("pushed");
                fs::create_dir_all(&folder)?;
                settle(fixture, clients)?;
                let blobs: Vec<Blob<'_>> =
                    (seed..).take(clients).map(|seed| fixture.content.blob(seed)).collect();
                seed += clients as u64;
                match subject {
                    Subject::Dd => copy(fixture, results, clients)?,
                    Subject::Multipart => upload(fixture, results, &blobs)?,
                    Subject::Shared => {
                        let place = Place::new(fixture.engines()?, &format!("pushed-{seed}"))?;
                        push(results, &fixture.empty_in(&place, &folder)?, &blobs)?;
                    }
                    _ => push(results, &fixture.empty(subject, &folder)?, &blobs)?,
                }
                fs::remove_dir_all(&folder)?;
            }
        }
    }
    fs::remove_file(source)?;
    Ok(())
}

/// Gives everyone the same to begin with. What others left unwritten is written now. And memory for the page
/// cache is touched and freed: the host of a virtual machine takes free memory away, and who gets it back first
/// would pay for that, up to 3 s of processor time a GiB.
fn settle(fixture: &Fixture, clients: usize) -> Result<()> {
    rustix::fs::sync();
    let scratch = fixture.folder("scratch");
    let blob = fixture.content.blob(0);
    let mut file = File::create(&scratch)?;
    for _ in 0..clients {
        blob.pieces().try_for_each(|piece| file.write_all(piece))?;
    }
    drop(file);
    Ok(fs::remove_file(scratch)?)
}

/// A client for each of `blobs`, all at once.
fn push(results: &mut Results, server: &Server, blobs: &[Blob<'_>]) -> Result<()> {
    let meter = Meter::start(server.pid())?;
    let begin = Instant::now();
    together(blobs.len(), |index| push_blob(&mut server.connect()?, &blobs[index]))?;
    let seconds = begin.elapsed().as_secs_f64();
    let bytes = blobs.iter().map(Blob::size).sum();
    add(results, &name(blobs.len()), server.subject, bytes, seconds, meter.finish()?);
    Ok(())
}

/// The client's own upload of each of `blobs`, all at once, into a new bucket.
fn upload(fixture: &Fixture, results: &mut Results, blobs: &[Blob<'_>]) -> Result<()> {
    let engines = fixture.engines()?;
    let place = Place::new(engines, "uploaded")?;
    let store = place.client()?;
    let begin = Instant::now();
    together(blobs.len(), |index| {
        engines.runtime.block_on(multipart::upload(&store, &blobs[index]))
    })?;
    let bytes = blobs.iter().map(Blob::size).sum();
    let rate = megabytes(bytes) / begin.elapsed().as_secs_f64();
    results.add(&name(blobs.len()), RATE, Subject::Multipart, rate);
    Ok(())
}

/// Copies the source with `dd`, so often at once, each copy synced.
fn copy(fixture: &Fixture, results: &mut Results, copies: usize) -> Result<()> {
    let source = fixture.folder("source");
    let (before, begin) = (processor_of_ended()?, Instant::now());
    together(copies, |index| {
        let mut command = Command::new("dd");
        let target = fixture.folder("pushed").join(index.to_string());
        command
            .arg(format!("if={}", source.display()))
            .arg(format!("of={}", target.display()))
            .args(["bs=1M", "conv=fdatasync", "status=none"])
            .stdout(Stdio::null());
        ensure!(Guarded::spawn(&mut command)?.wait()?, "dd failed");
        Ok(())
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let bytes = fixture.options.size() * copies as u64;
    let processor = (processor_of_ended()? - before) / (bytes as f64 / f64::from(1 << 30));
    results.add(&name(copies), RATE, Subject::Dd, megabytes(bytes) / seconds);
    results.add(&name(copies), PROCESSOR, Subject::Dd, processor);
    Ok(())
}
