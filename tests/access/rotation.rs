//! The key that signs is changed while everyone works, and no request is refused for it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use wharf_auth::keys::SETTLING;

use crate::cluster::{Cluster, NODES};
use crate::forging::{part, strange_key};
use crate::house::bearer;
use crate::support::program::wait_until;
use crate::{PRIVATE, PULL, status};

/// How long until a new key signs, from when its file is there: longer than nodes take to look for keys (30 seconds).
const SETTLES_IN: Duration = Duration::from_secs(35);

/// Nodes look at the folder twice until a key that has settled signs; a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(180);

/// The key that each node signs by.
fn signing(cluster: &Cluster) -> BTreeSet<String> {
    let kid = |index| {
        let token = cluster.token(&cluster.node(index), "reader", PULL);
        part(&token, 0)["kid"].as_str().unwrap().to_owned()
    };
    (0..NODES).map(kid).collect()
}

/// The keys that each node publishes.
fn published(cluster: &Cluster) -> Vec<usize> {
    let count = |index| {
        let keys = cluster.node(index).get("/.well-known/jwks.json").unwrap();
        keys.json()["keys"].as_array().unwrap().len()
    };
    (0..NODES).map(count).collect()
}

#[test]
fn the_key_changes_under_load_without_one_refused_request() {
    // One client asks for more tokens than one may.
    let cluster = Cluster::start(&[("WHARF_LIMITS_TOKEN_REQUESTS", "")]);
    cluster.push("ada", "team/private", "private");
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let old = signing(&cluster);
    assert_eq!(old.len(), 1);
    thread::scope(|threads| {
        for issuer in 0..NODES {
            let (cluster, done, asked) = (&cluster, &done, &asked);
            threads.spawn(move || {
                let _ended = Ended(done);
                // Each token of this node is used at all of them, the moment it is there.
                while !done.load(Ordering::Relaxed) {
                    let token = bearer(&cluster.token(&cluster.node(issuer), "reader", PULL));
                    for node in (0..NODES).cycle().take(4 * NODES) {
                        let answer = status(&cluster.node(node), PRIVATE, &token);
                        assert_eq!(answer, 200, "node {issuer}'s token at node {node}");
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let _ended = Ended(&done);
        let made = strange_key();
        let path = cluster.keys().join("second.pem");
        let unfinished = cluster.keys().join("second.new");
        fs::copy(made.path().join("first.pem"), &unfinished).unwrap();
        let file = File::options().write(true).open(&unfinished).unwrap();
        file.set_modified(SystemTime::now() - SETTLING + SETTLES_IN).unwrap();
        fs::rename(&unfinished, &path).unwrap();
        let holds = |what: &str, holds: &dyn Fn() -> bool| {
            wait_until(what, PATIENCE, || {
                thread::sleep(Duration::from_millis(200));
                assert!(!done.load(Ordering::Relaxed), "a request was refused meanwhile");
                holds()
            });
        };
        holds("every node knows the new key", &|| published(&cluster) == [2; NODES]);
        assert_eq!(signing(&cluster), old, "it does not sign yet");
        holds("every node signs by it", &|| signing(&cluster).is_disjoint(&old));
        // A token by the old key is still good where it is known.
        fs::remove_file(cluster.keys().join("first.pem")).unwrap();
        holds("the old one is gone", &|| published(&cluster) == [1; NODES]);
    });
    assert!(asked.load(Ordering::Relaxed) > 100);
}

/// Says that the test is over, also when it fails: the others must not go on for ever.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
