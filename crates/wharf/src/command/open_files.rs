//! How many files the process may open, and how many connections that is enough for.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files that are open whatever clients do: databases, logs, listeners, connections to stores.
const RESERVED: u64 = 128;

/// A connection holds a socket, and the file that it reads or writes.
const FILES_OF_A_CONNECTION: u64 = 2;

/// Lets the process open as many files as the system allows it.
pub fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// How many connections to take at one time: `wanted`, or fewer where the process may not open files enough.
/// Past that limit nothing could be accepted, not even to refuse it, and running pulls would fail.
pub fn connections(wanted: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let possible = enough_for(files);
    if possible < wanted {
        tracing::warn!(
            "http.max_connections is {wanted}, but this process may open {files} files only: {possible} \
             connections are taken at one time (raise the limit: ulimit -n, or LimitNOFILE= of systemd)"
        );
    }
    wanted.min(possible)
}

/// How many connections so many files are enough for.
fn enough_for(files: u64) -> usize {
    let connections = files.saturating_sub(RESERVED) / FILES_OF_A_CONNECTION;
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_a_connection_and_some_for_the_rest() {
        assert_eq!(enough_for(1024), 448);
        assert_eq!(enough_for(1 << 20), (1 << 19) - 64);
        assert_eq!(enough_for(0), 1);
    }
}
