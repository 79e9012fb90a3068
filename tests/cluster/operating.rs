//! What operators see of nodes, and have them do: the queue of background work, metrics.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::engines::Shared;
use crate::support::metrics::{LISTEN, value};
use crate::support::nodes::Nodes;
use crate::support::program::{attempt, wait_until};
use crate::{bytes, push_image};

/// What `wharf jobs …` prints beside the nodes.
fn jobs(shared: &Shared, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    attempt(command.arg("jobs").args(arguments).envs(shared.settings()))
}

#[test]
fn background_work_is_done_by_nodes_of_that_role_and_can_be_seen() {
    let shared = Shared::new().with("WHARF_NODE_ROLES", "registry");
    let nodes = Nodes::start(1, &shared.settings());
    assert_eq!(nodes.registry().get("/v2/").unwrap().status, 200);
    assert_eq!(jobs(&shared, &["list"]).unwrap(), "");

    let worker = shared.clone().with("WHARF_NODE_ROLES", "jobs");
    let worker = Nodes::start(1, &worker.settings());
    assert_eq!(worker.node(0).registry().get("/readyz").unwrap().status, 200);
    assert_eq!(worker.node(0).registry().get("/v2/").unwrap().status, 404);
    wait_until("its jobs have been done once", Duration::from_secs(60), || {
        let listed = jobs(&shared, &["list", "--json"]).unwrap();
        let all: Vec<Value> =
            listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        ["uploads.expire", "staging.collect", "events.upkeep"].iter().all(|kind| {
            all.iter().any(|job| {
                job["kind"] == *kind && job["state"] == "waiting" && job["attempts"] == 0
            })
        })
    });
    assert_eq!(jobs(&shared, &["list", "--dead"]).unwrap(), "");
    let refused = jobs(&shared, &["retry", "1"]).unwrap_err();
    assert!(refused.contains("no job 1 was set aside"), "{refused}");
}

#[test]
fn a_recurring_job_is_run_before_its_time_when_someone_asks() {
    let shared = Shared::new().with(LISTEN.0, LISTEN.1);
    let nodes = Nodes::start(1, &shared.settings());
    let done = || {
        let runs = r#"wharf_job_runs_total{kind="staging.collect",outcome="done"}"#;
        value(nodes.node(0), runs)
    };
    wait_until("it was done once", Duration::from_secs(60), || done() == 1.0);
    // By itself it would be done again in an hour.
    let told = jobs(&shared, &["run", "staging.collect"]).unwrap();
    assert_eq!(told, "the job of the kind staging.collect is due now");
    wait_until("it was done again", Duration::from_secs(60), || done() == 2.0);
    let told = jobs(&shared, &["run", "staging.collect", "--json"]).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["kind"], "staging.collect");
    assert!(["waiting", "running"].contains(&told["state"].as_str().unwrap()), "{told}");
    let refused = jobs(&shared, &["run", "tags.forget_history"]).unwrap_err();
    assert!(refused.contains("uploads.expire"), "{refused}");
}

#[test]
fn a_node_tells_of_its_engines() {
    let shared = Shared::new().with(LISTEN.0, LISTEN.1);
    let nodes = Nodes::start(2, &shared.settings());
    let (one, other) = (nodes.node(0), nodes.node(1));
    let content = bytes(100_000, 1);
    push_image(&one.registry(), "team/app", "latest", &content);
    let told = |metric: &str| value(one, metric);
    wait_until("Redis is used", Duration::from_secs(20), || {
        told("wharf_cache_redis_in_use") == 1.0 && told("wharf_cache_redis_answers") == 1.0
    });
    assert_eq!(told("wharf_database_connections_most"), 16.0);
    let open = r#"wharf_database_connections{state="idle"}"#;
    wait_until("connections are at rest", Duration::from_secs(20), || told(open) >= 1.0);
    assert!(told(r#"wharf_store_requests_total{request="asking for an object"}"#) >= 1.0);
    assert_eq!(one.registry().manifest("team/app", "latest").unwrap().status, 200);
    let by_redis = r#"wharf_cache_lookups_total{kind="manifest",answer="redis"}"#;
    let before = value(other, by_redis);
    assert_eq!(other.registry().manifest("team/app", "latest").unwrap().status, 200);
    assert_eq!(value(other, by_redis), before + 1.0);
    wait_until("the log was followed", Duration::from_secs(20), || {
        value(other, "wharf_events_followed_total") >= 2.0
    });
    assert!(value(other, "wharf_events_behind_seconds") < 10.0);
}
