//! A layer of 5 GB goes through the server both ways, while the server's memory stays small.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use support::container_tools::{ContainerTools, layout};
use support::layout::{digest_of_file, verified_blobs, write_image_over};
use support::random::Random;
use support::registry::name_digest;
use support::server::Server;
use tempfile::TempDir;

const LAYER_BYTES: u64 = 5 << 30;
const BLOCK_BYTES: usize = 1 << 20;
const SAMPLE_EVERY: Duration = Duration::from_millis(20);
/// Anonymous memory that the server may hold at any moment: buffers and caches, never a layer.
const MEMORY_LIMIT: u64 = 200_000_000;

#[test]
fn a_layer_of_five_gigabytes_goes_up_and_down_in_bounded_memory() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (sent, received) = (folder.path().join("sent"), folder.path().join("received"));
    let layer = write_layer(&sent);
    write_image_over(&sent, &[(layer.clone(), LAYER_BYTES)]);
    let place = format!("docker://{}/large/layer:1", server.address());

    let peak = AtomicU64::new(0);
    thread::scope(|scope| {
        // Ends when `_until_done` is dropped, also by a panic.
        let (_until_done, done) = mpsc::channel::<()>();
        let (server, peak) = (&server, &peak);
        scope.spawn(move || {
            while done.recv_timeout(SAMPLE_EVERY) == Err(RecvTimeoutError::Timeout) {
                peak.fetch_max(server.memory("RssAnon:"), Ordering::Relaxed);
            }
        });
        let started = Instant::now();
        tools.copy(&[], &layout(&sent), &place);
        println!("pushed in {:?}", started.elapsed());
        fs::remove_dir_all(&sent).unwrap();
        let started = Instant::now();
        tools.copy(&["--dest-oci-accept-uncompressed-layers"], &place, &layout(&received));
        println!("pulled in {:?}", started.elapsed());
    });

    let peak = peak.into_inner();
    println!("peak: {peak} bytes anonymous, {} bytes resident", server.memory("VmHWM:"));
    assert_eq!(verified_blobs(&received).get(&layer), Some(&LAYER_BYTES));
    assert!(peak > 0 && peak < MEMORY_LIMIT, "{peak} bytes of anonymous memory");
}

/// Writes the layer into the layout under its digest: one random block, stamped anew each time.
fn write_layer(folder: &Path) -> String {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let unnamed = blobs.join("unnamed");
    let mut file = BufWriter::new(File::create(&unnamed).unwrap());
    let mut hasher = Sha256::new();
    let mut block = Random::seeded(5).bytes(BLOCK_BYTES);
    for number in 0..LAYER_BYTES / BLOCK_BYTES as u64 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        hasher.update(&block);
        file.write_all(&block).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let digest = name_digest(hasher);
    fs::rename(&unnamed, blobs.join(digest.trim_start_matches("sha256:"))).unwrap();
    assert_eq!(digest_of_file(&blobs.join(digest.trim_start_matches("sha256:"))).1, LAYER_BYTES);
    digest
}
