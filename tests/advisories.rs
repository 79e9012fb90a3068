//! The advisories published against registries, each with a test that does here what the attacker did there.
//!
//! A test is named after its advisory; the sentences above it say what happened there, and why it cannot here. Where
//! Wharf lacks the feature that was attacked, the test holds what is there today and [`due`] fails on the day the feature
//! comes, and says what is to be tested then.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "identity/browser.rs"]
mod browser;
#[path = "advisories/distribution.rs"]
mod distribution;
#[path = "identity/fake.rs"]
mod fake;
#[path = "access/forging.rs"]
mod forging;
#[path = "advisories/harbor.rs"]
mod harbor;
#[path = "advisories/harbor_api.rs"]
mod harbor_api;
#[path = "access/house.rs"]
mod house;
#[path = "advisories/kraken.rs"]
mod kraken;
#[path = "advisories/quay.rs"]
mod quay;
#[path = "advisories/zot.rs"]
mod zot;

use std::net::TcpListener;
use std::process::Command;

use support::program::run;
use support::server::{Server, program};
use ureq::http::Method;

/// No path of these leads anywhere yet, by no method. The first that does makes the test say what it must hold then.
///
/// Asked with access control and without: what manages accounts is there with it alone.
fn due(paths: &[&str], then: &str) {
    for (control, alive) in [("false", 200), ("true", 401)] {
        let server = Server::start_with(&[("WHARF_ACCESS_CONTROL", control)]);
        let registry = server.registry();
        for path in paths {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let reads = [Method::GET, Method::DELETE].contains(&method);
                let body = (!reads).then_some(&b"{}"[..]);
                let reply = registry.send(method.clone(), path, &[], body).unwrap();
                let text = reply.text();
                assert_eq!(
                    reply.status, 404,
                    "{method} {path} is there: now test that {then}\n{text}"
                );
                assert!(text.contains("is no end-point of this"), "{method} {path}: {text}");
            }
        }
        // What is there is not told so.
        assert_eq!(registry.get("/v2/").unwrap().status, alive);
    }
}

/// There is no section of settings by one of these names yet.
fn due_with_settings(sections: &[&str], then: &str) {
    let shown = run(Command::new(program()).args(["config", "show"]));
    assert!(shown.contains("[access]\n"), "{shown}");
    for section in sections {
        let is_there = shown.lines().any(|line| line.starts_with(&format!("[{section}")));
        assert!(!is_there, "the settings [{section}] are there: now test that {then}");
    }
}

/// A place that nobody may be led to: it knows whether somebody came.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Trap {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Trap(listener)
    }

    fn url(&self) -> String {
        format!("http://{}/secret", self.0.local_addr().unwrap())
    }

    fn is_untouched(&self) -> bool {
        self.0.accept().is_err()
    }
}
