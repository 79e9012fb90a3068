//! Limits of what may be held: so far away that nothing is ever refused, and set again and again, so that their parts are dealt out anew.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::client::Client;
use crate::support::random::Random;

/// The least number of bytes: many times what there is, and little enough that the part of it which a transaction finds at hand is not
/// enough for a large layer.
const BYTES: u64 = 200_000_000;

/// The least number of manifests, and of tags.
const ROWS: u64 = 10_000;

/// Sets a limit of the namespace.
pub fn of_the_namespace(client: &mut Client, random: &mut Random) {
    let limit = some(random);
    let set = client.patiently(Method::PUT, "/api/v1/namespaces/soak/quota", Some(&limit));
    assert_eq!(set.status, 200, "{limit}: {}", set.text());
}

/// Sets one of a repository, which may not be there yet. Whether an answer comes does not matter.
pub fn of_a_repository(client: &mut Client, repository: &str, random: &mut Random) {
    let target = format!("/api/v1/repositories/{}/quota", repository.replace('/', "%2F"));
    let (limit, headers) = (some(random), [("Content-Type", "application/json")]);
    let set = client.ask(Method::PUT, &target, &headers, Some(limit.to_string().as_bytes()));
    if let Ok(set) = set {
        assert!([200, 404].contains(&set.status), "{limit}: {} {}", set.status, set.text());
    }
}

fn some(random: &mut Random) -> Value {
    let mut more = |least: u64| least + random.below(least);
    json!({ "bytes": more(BYTES), "manifests": more(ROWS), "tags": more(ROWS) })
}
