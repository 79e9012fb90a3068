//! `/readyz` and `/healthz` while a store is sick and when it is well again.

use std::thread;
use std::time::{Duration, Instant};

use wharf_blobs::{Fault, Method};
use wharf_core::StoreError;

use crate::served::Served;
use crate::support::program::wait_until;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_sick_store_is_named_and_nothing_that_it_said() {
    let api = Served::start(true);
    assert_eq!(api.answer("GET", "/readyz", "").text(), r#"{"faults":{},"ready":true}"#);
    let fault = StoreError::Unavailable("a secret of the store".into());
    for call in 1..=3 {
        api.watched.blobs.script(Method::Check, call, Fault::Fail(fault.clone()));
    }

    wait_until("it is not ready", PATIENCE, || api.answer("GET", "/readyz", "").status == 503);

    let said = api.answer("GET", "/readyz", "");
    assert_eq!(said.text(), r#"{"faults":{"blobs":"not available"},"ready":false}"#);
    assert_eq!(said.header("cache-control"), Some("no-store"));
    assert_eq!(api.answer("HEAD", "/readyz", "").status, 503);
    assert_eq!(api.answer("GET", "/healthz", "").status, 200, "restarting it would help nobody");
    wait_until("it is ready again", PATIENCE, || api.answer("GET", "/readyz", "").status == 200);
}

#[test]
fn however_many_ask_the_stores_are_looked_at_once_a_second() {
    let api = Served::start(true);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert_eq!(api.answer("GET", "/readyz", "").status, 200);
                }
            });
        }
    });
    let looks = api.watched.blobs.calls(Method::Check);
    assert!((1..=began.elapsed().as_secs() + 1).contains(&looks), "{looks} looks");
}
