//! Nodes with all their engines behind proxies, and what is asked of them while something is wrong.

use std::time::{Duration, Instant};

use ureq::Error;

use crate::support::engines::{Proxies, Shared};
use crate::support::nodes::Nodes;
use crate::support::program::wait_until;
use crate::support::random::Random;
use crate::support::registry::{Registry, Reply, digest, image_manifest};

/// No request takes longer, whatever is wrong: the sum of the limits below that one may run into.
pub const LONGEST: Duration = Duration::from_secs(20);

/// Time to notice that a fault is over.
const RECOVERY: Duration = Duration::from_secs(30);

/// The nodes.
pub struct Stand {
    pub nodes: Nodes,
    pub engines: Proxies,
}

/// An image that was pushed before anything went wrong.
pub struct Image {
    pub blob: Vec<u8>,
    pub manifest: Vec<u8>,
}

impl Stand {
    /// So many nodes, which wait a short time for their engines.
    pub fn of(nodes: usize) -> Stand {
        let (shared, engines) = Shared::new().behind_proxies();
        let shared = shared
            .with("WHARF_DATABASE_TIMEOUT", "4s")
            .with("WHARF_BLOBS_TIMEOUT", "2s")
            .with("WHARF_DELIVERY_MODE", "stream");
        Stand { nodes: Nodes::start(nodes, &shared.settings()), engines }
    }

    /// A client of one node, without anybody between.
    pub fn registry(&self, node: usize) -> Registry {
        self.nodes.node(node).registry()
    }

    /// Waits until every node says that it is ready.
    pub fn recovers(&self, nodes: usize) {
        wait_until("the nodes are ready again", RECOVERY, || {
            (0..nodes).all(|node| self.registry(node).get("/readyz").unwrap().status == 200)
        });
    }
}

/// Pushes an image under `latest`, and pulls it once.
pub fn push_image(registry: &Registry, repository: &str, size: usize, seed: u64) -> Image {
    let blob = Random::seeded(seed).bytes(size);
    let manifest = image_manifest(&[(digest(&blob), blob.len())], &format!("image {seed}"));
    assert_eq!(in_time(|| registry.push_blob(repository, &blob)).unwrap().status, 201);
    let pushed = in_time(|| registry.push_manifest(repository, "latest", &[], &manifest)).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    let image = Image { blob, manifest };
    image.is_pulled(registry, repository);
    image
}

impl Image {
    /// It can be pulled as it is.
    pub fn is_pulled(&self, registry: &Registry, repository: &str) {
        self.manifest_is_pulled(registry, repository);
        let pulled = in_time(|| registry.blob(repository, &digest(&self.blob))).unwrap();
        assert!(pulled.status == 200 && pulled.body == self.blob, "{}", pulled.status);
    }

    /// Its manifest can.
    pub fn manifest_is_pulled(&self, registry: &Registry, repository: &str) {
        let pulled = in_time(|| registry.manifest(repository, "latest")).unwrap();
        assert!(pulled.status == 200 && pulled.body == self.manifest, "{}", pulled.text());
    }
}

/// Asks, and is answered or cut off in time.
pub fn in_time(ask: impl FnOnce() -> Result<Reply, Error>) -> Result<Reply, Error> {
    let begin = Instant::now();
    let reply = ask();
    assert!(begin.elapsed() < LONGEST, "it took {:?}", begin.elapsed());
    reply
}

/// The node says that it is not ready, once it does not go by its last look any more.
pub fn unready(registry: &Registry) {
    wait_until("the node is not ready", LONGEST, || {
        in_time(|| registry.get("/readyz")).unwrap().status == 503
    });
}

/// Asks, and is told to come back.
pub fn refused_for_now(ask: impl FnOnce() -> Result<Reply, Error>) {
    let reply = in_time(ask).unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("Retry-After").is_some());
}
