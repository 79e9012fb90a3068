//! Pushes of distinct large blobs, each registry new and empty, beside `dd` to the same disk.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::content::Blob;
use crate::fixture::{Fixture, push_blob};
use crate::pull::{add, together};
use crate::results::{PROCESSOR, RATE, Results, megabytes};
use crate::servers::Subject;
use crate::usage::{Meter, processor_of_ended};
use wharf_bench::process::Guarded;

const SUBJECTS: [Subject; 3] = [Subject::Wharf, Subject::Registry, Subject::Dd];

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
            for subject in SUBJECTS {
                eprintln!("{}, round {}: {}", name(clients), round + 1, subject.name());
                let folder = fixture.folder("pushed");
                fs::create_dir_all(&folder)?;
                settle(fixture, clients)?;
                if subject == Subject::Dd {
                    copy(fixture, results, clients)?;
                } else {
                    push(fixture, results, subject, clients, seed)?;
                    seed += clients as u64;
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

fn push(
    fixture: &Fixture,
    results: &mut Results,
    subject: Subject,
    clients: usize,
    seed: u64,
) -> Result<()> {
    let server = fixture.empty(subject, &fixture.folder("pushed"))?;
    let blobs: Vec<Blob<'_>> =
        (seed..).take(clients).map(|seed| fixture.content.blob(seed)).collect();
    let meter = Meter::start(server.pid())?;
    let begin = Instant::now();
    together(clients, |index| push_blob(&mut server.connect()?, &blobs[index]))?;
    let seconds = begin.elapsed().as_secs_f64();
    let bytes = fixture.options.size() * clients as u64;
    add(results, &name(clients), subject, bytes, seconds, meter.finish()?);
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
