//! Limits that three nodes count together: exact, whichever node is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ureq::http::Method;

use crate::cluster::{Cluster, NODES, ask_for_token};
use crate::house::{PASSWORD, bearer};

const TARGET: &str = "/v2/team/public/manifests/v1";
const SCOPE: &str = "repository:team/public:pull";

/// On a busy machine Redis may be slow to answer; a node that does not wait counts for itself.
const PATIENCE: (&str, &str) = ("WHARF_CACHE_TIMEOUT", "10s");

#[test]
fn nodes_let_together_no_more_be_pulled_than_may_be() {
    let settings = [PATIENCE, ("WHARF_LIMITS_PRINCIPAL_PULLS", "20/10h")];
    let cluster = Cluster::start(&settings);
    cluster.push("ada", "team/public", "public");
    let token = bearer(&cluster.token(&cluster.node(0), "reader", SCOPE));
    let headers = [("Authorization", token.as_str())];
    let pulled = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..2 * NODES {
            let (node, headers, pulled) = (cluster.node(client % NODES), &headers, &pulled);
            scope.spawn(move || {
                for _ in 0..10 {
                    let reply = node.send(Method::GET, TARGET, headers, None).unwrap();
                    assert!([200, 429].contains(&reply.status), "{}", reply.text());
                    pulled.fetch_add(usize::from(reply.status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(pulled.load(Ordering::SeqCst), 20);
    for node in 0..NODES {
        let looked = cluster.node(node).send(Method::HEAD, TARGET, &headers, None).unwrap();
        assert_eq!(looked.header("ratelimit-remaining"), Some("0;w=36000"));
        assert_eq!(looked.header("docker-ratelimit-source"), Some("reader"));
    }
}

#[test]
fn a_login_that_fails_at_one_node_has_failed_at_all() {
    let settings = [PATIENCE, ("WHARF_LIMITS_FAILED_LOGINS", "3/10h")];
    let cluster = Cluster::start(&settings);
    let ask = |node: usize, name: &str, secret: &str| {
        ask_for_token(&cluster.node(node % NODES), name, secret, SCOPE).status
    };
    // Right ones at once, at all nodes, are all let in.
    thread::scope(|scope| {
        for client in 0..12 {
            scope.spawn(move || assert_eq!(ask(client, "writer", PASSWORD), 200));
        }
    });
    for node in 0..3 {
        assert_eq!(ask(node, "reader", "wrong"), 401);
    }
    for node in 0..3 {
        assert_eq!(ask(node, "reader", PASSWORD), 429);
    }
    // A good login at one ends what failed at another.
    for round in 0..4 {
        assert_eq!(ask(round, "keeper", "wrong"), 401);
        assert_eq!(ask(round + 1, "keeper", PASSWORD), 200);
    }
}
