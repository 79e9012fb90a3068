//! What a server tells Prometheus of its caches and jobs.

use std::time::Duration;

use crate::support::metrics::{LISTEN, scrape, value};
use crate::support::program::wait_until;
use crate::support::registry::{digest, image_manifest};
use crate::support::server::Server;

#[test]
fn look_ups_are_counted_by_what_answered_them() {
    let server = Server::start_with(&[LISTEN]);
    let registry = server.registry();
    let blob = b"a layer";
    let count = |kind: &str, answer: &str| {
        let labels = format!("kind=\"{kind}\",answer=\"{answer}\"");
        value(&server, &format!("wharf_cache_lookups_total{{{labels}}}"))
    };
    for _ in 0..3 {
        assert_eq!(registry.blob("app", &digest(blob)).unwrap().status, 404);
        assert_eq!(registry.manifest("app", "latest").unwrap().status, 404);
    }
    for kind in ["blob", "manifest"] {
        assert_eq!((count(kind, "miss"), count(kind, "absent")), (1.0, 2.0), "{kind}");
    }
    assert_eq!(registry.push_blob("app", blob).unwrap().status, 201);
    let manifest = image_manifest(&[(digest(blob), blob.len())], "");
    assert_eq!(registry.push_manifest("app", "latest", &[], &manifest).unwrap().status, 201);
    for _ in 0..5 {
        assert_eq!(registry.blob("app", &digest(blob)).unwrap().status, 200);
        assert_eq!(registry.manifest("app", "latest").unwrap().status, 200);
    }
    for kind in ["blob", "manifest"] {
        assert_eq!((count(kind, "miss"), count(kind, "memory")), (2.0, 4.0), "{kind}");
    }
    assert!(value(&server, "wharf_cache_kept_entries") >= 2.0);
    assert!(value(&server, "wharf_cache_kept_bytes") > manifest.len() as f64);
    assert!(!scrape(&server).contains("redis_answers"), "there is no Redis");
}

#[test]
fn jobs_are_counted_where_they_run_and_where_they_wait() {
    let server = Server::start_with(&[LISTEN]);
    let done = r#"wharf_job_runs_total{kind="uploads.expire",outcome="done"}"#;
    let took = r#"wharf_job_run_time_seconds_total{kind="uploads.expire",outcome="done"}"#;
    wait_until("a job was done", Duration::from_secs(60), || value(&server, done) >= 1.0);
    assert!(value(&server, took) > 0.0);
    let waiting = r#"wharf_jobs{kind="uploads.expire",state="waiting"}"#;
    wait_until("it was counted", Duration::from_secs(60), || value(&server, waiting) == 1.0);
}

/// Of those that the settings name, and of no others; of what two repositories share, a namespace holds it once.
#[test]
fn what_namespaces_and_repositories_hold_is_told() {
    let named = ("WHARF_METRICS_USAGE", "acme, acme/web, acme/none, acme");
    let server = Server::start_with(&[LISTEN, named]);
    let registry = server.registry();
    let blob = vec![7; 100_000];
    let manifest = image_manifest(&[(digest(&blob), blob.len())], "");
    for repository in ["acme/app", "acme/web"] {
        assert_eq!(registry.push_blob(repository, &blob).unwrap().status, 201);
        for tag in ["one", "two"] {
            let pushed = registry.push_manifest(repository, tag, &[], &manifest);
            assert_eq!(pushed.unwrap().status, 201);
        }
    }
    let of = |metric: &str, scope: &str, kind: &str| {
        value(&server, &format!("wharf_usage_scope_{metric}{{scope=\"{scope}\",kind=\"{kind}\"}}"))
    };
    // The last one.
    let asked = || of("tags", "acme/web", "used") == 2.0;
    wait_until("it was asked for", Duration::from_secs(60), asked);
    assert_eq!(of("tags", "acme", "used"), 4.0);
    let one = (blob.len() + manifest.len()) as f64;
    assert_eq!(of("bytes", "acme", "referenced"), 2.0 * one);
    assert_eq!(of("bytes", "acme/web", "referenced"), one);
    assert_eq!(of("bytes", "acme/web", "bytes"), one);
    assert_eq!(of("bytes", "acme", "bytes"), (blob.len() + 2 * manifest.len()) as f64);
    assert_eq!((of("manifests", "acme", "used"), of("manifests", "acme/web", "used")), (2.0, 1.0));
    let told = scrape(&server);
    assert!(!told.contains("acme/app") && !told.contains("acme/none"), "{told}");
    assert!(!told.contains(r#"kind="quota""#), "there is none");
}
