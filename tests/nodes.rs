//! Several nodes behind one proxy, as far as that goes without anything that they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use support::nodes::Nodes;
use support::program::wait_until;

const PATIENCE: Duration = Duration::from_secs(30);

/// How many requests with this mark a node has logged.
fn asked(nodes: &Nodes, index: usize, mark: &str) -> usize {
    nodes.node(index).log().matches(&format!("GET /v2/?{mark}\"")).count()
}

fn ask(nodes: &Nodes, times: usize, mark: &str) {
    let registry = nodes.registry();
    for _ in 0..times {
        assert_eq!(registry.get(&format!("/v2/?{mark}")).unwrap().status, 200);
    }
}

#[test]
fn each_node_has_its_turn_and_one_that_is_down_is_passed_over() {
    let mut nodes = Nodes::start(3, &[]);
    ask(&nodes, 6, "all");
    wait_until("each node was asked twice", PATIENCE, || {
        (0..3).all(|index| asked(&nodes, index, "all") == 2)
    });

    nodes.kill(1);
    ask(&nodes, 6, "without-one");
    nodes.stop(2);
    ask(&nodes, 6, "without-two");
    nodes.start_again(1);
    nodes.start_again(2);
    ask(&nodes, 6, "again");
    wait_until("each node was asked twice again", PATIENCE, || {
        (0..3).all(|index| asked(&nodes, index, "again") == 2)
    });
}

#[test]
fn clients_are_sent_to_the_proxy() {
    let nodes = Nodes::start(1, &[]);
    let place = nodes.registry().open_upload("app").unwrap();
    let uploads = format!("http://{}/v2/app/blobs/uploads/", nodes.address());
    assert!(place.starts_with(&uploads), "{place}");
}
