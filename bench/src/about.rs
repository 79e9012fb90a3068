//! What is to be known of a run to judge its numbers: the machine, the programs, and how they were set.

use anyhow::Result;
use wharf_bench::machine::{load, machine};
use wharf_bench::program::version;

use crate::multipart::AT_ONCE;
use crate::options::Options;
use crate::programs::Programs;
use wharf_bench::engines::Engines;

/// Names and values, in order. No name of the machine is among them.
pub fn about(
    options: &Options,
    programs: &Programs,
    engines: Option<&Engines>,
) -> Result<Vec<(&'static str, String)>> {
    let mut about = vec![
        ("machine", machine()),
        ("load before", load()),
        ("rounds", format!("{}, taking turns", options.rounds())),
        ("blob", format!("{} MiB", options.size() >> 20)),
        ("wharf", format!("{}; access log off", version(&programs.wharf, "--version"))),
    ];
    match engines {
        Some(engines) => about.extend(of_engines(engines)?),
        None => about.extend(of_others(programs)),
    }
    about.extend([
        ("clients", "on the same machine; pulls are copied into a buffer of 1 MiB".to_owned()),
        ("shown", "median (least–most); ratios are of the same round; MB is 10^6".to_owned()),
    ]);
    Ok(about)
}

fn of_engines(engines: &Engines) -> Result<[(&'static str, String); 3]> {
    Ok([
        ("shared", "Wharf on PostgreSQL, S3 and Redis, all on this machine".to_owned()),
        ("PostgreSQL", engines.postgres_version()?),
        ("multipart", format!("parts of 8 MiB, {AT_ONCE} at once, by a client of the S3 server")),
    ])
}

fn of_others(programs: &Programs) -> [(&'static str, String); 3] {
    [
        (
            "nginx",
            format!(
                "{}; sendfile, tcp_nopush, worker_processes auto, access log off",
                version(&programs.nginx, "-v"),
            ),
        ),
        (
            "docker-registry",
            format!(
                "{}; in-memory blob cache, log level error, access log off",
                version(&programs.registry, "--version"),
            ),
        ),
        ("dd", "bs=1M conv=fdatasync, from the page cache to the same file system".to_owned()),
    ]
}
