//! Probes: whether the process lives, and whether it can serve now.

use std::time::{Duration, Instant};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use tokio::sync::Mutex;
use wharf_core::Registry;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::reply::{self, JSON};
use crate::body::Body;

/// How long an answer of the stores is good for. Asking them costs a synced write each.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// What is not ready, with the reason.
type Faults = Vec<(&'static str, String)>;

/// What the stores answered last. One look at a time, however many ask.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Faults)>>);

impl Readiness {
    pub(super) async fn faults(&self, registry: &Registry) -> Faults {
        let mut last = self.0.lock().await;
        if let Some((_, faults)) = last.as_ref().filter(|(at, _)| at.elapsed() < GOOD_FOR) {
            return faults.clone();
        }
        let faults = registry.faults().await;
        for (part, fault) in &faults {
            tracing::warn!(part, fault, "not ready");
        }
        *last = Some((Instant::now(), faults.clone()));
        faults
    }
}

/// `/healthz`: the process answers. It looks at nothing else, so that a sick store does not get it restarted.
pub(super) fn alive() -> Response<Body> {
    let mut response = reply::new(StatusCode::OK, "ok\n");
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// `/readyz`: the stores can be read and written, and no stop was asked for. Says what is not ready.
pub(super) async fn ready(call: Call) -> Result<Response<Body>, Failure> {
    let mut faults: Map<String, Value> = Map::new();
    if call.is_draining() {
        faults.insert("server".into(), "stopping".into());
    }
    for (part, _) in call.faults().await {
        // Which store it is may be told; what it said is in the log.
        faults.insert(part.into(), "not available".into());
    }
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let document = json!({ "ready": faults.is_empty(), "faults": faults }).to_string();
    let mut response = reply::new(status, document);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
