//! What is to be known of a run to judge its numbers: the machine, the programs, and how they were set.

use std::fs;

use crate::options::Options;
use crate::programs::Programs;

/// Names and values, in order. No name of the machine is among them.
pub fn about(options: &Options, programs: &Programs) -> Vec<(&'static str, String)> {
    vec![
        ("machine", machine()),
        ("load before", load()),
        ("rounds", format!("{}, taking turns", options.rounds())),
        ("blob", format!("{} MiB", options.size() >> 20)),
        ("wharf", format!("{}; access log off", Programs::version(&programs.wharf, "--version"))),
        (
            "nginx",
            format!(
                "{}; sendfile, tcp_nopush, worker_processes auto, access log off",
                Programs::version(&programs.nginx, "-v"),
            ),
        ),
        (
            "docker-registry",
            format!(
                "{}; in-memory blob cache, log level error, access log off",
                Programs::version(&programs.registry, "--version"),
            ),
        ),
        ("dd", "bs=1M conv=fdatasync, from the page cache to the same file system".to_owned()),
        ("clients", "on the same machine; pulls are copied into a buffer of 1 MiB".to_owned()),
        ("shown", "median (least–most); ratios are of the same round; MB is 10^6".to_owned()),
    ]
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let field = |path, name: &str| {
        let text = read(path);
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim()).to_owned()
    };
    let memory = field("/proc/meminfo", "MemTotal");
    let memory = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 20;
    let processor = field("/proc/cpuinfo", "model name");
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores ({processor}), {memory} GiB, Linux {}", kernel.trim())
}

/// How busy the machine was already: with more than a little, the numbers say little.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
