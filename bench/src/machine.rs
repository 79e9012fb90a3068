//! The machine that figures belong to.

use std::fs;

/// Its processors, memory and kernel, without its name.
pub fn machine() -> String {
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
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
