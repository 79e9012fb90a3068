//! What is to be known of a run to judge its numbers: the machine, the programs, and how they were set.

use wharf_bench::machine::{load, machine};
use wharf_bench::program::version;

use crate::options::Options;
use crate::programs::Programs;

/// Names and values, in order. No name of the machine is among them.
pub fn about(options: &Options, programs: &Programs) -> Vec<(&'static str, String)> {
    vec![
        ("machine", machine()),
        ("load before", load()),
        ("rounds", format!("{}, taking turns", options.rounds())),
        ("blob", format!("{} MiB", options.size() >> 20)),
        ("wharf", format!("{}; access log off", version(&programs.wharf, "--version"))),
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
        ("clients", "on the same machine; pulls are copied into a buffer of 1 MiB".to_owned()),
        ("shown", "median (least–most); ratios are of the same round; MB is 10^6".to_owned()),
    ]
}
