//! The policy of retention of each repository: of the builds of each pusher it keeps the newest.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::book::BUILDS_KEPT;
use crate::client::{Client, Lost};

/// How many pushers there are.
pub const PUSHERS: usize = 4;

/// Sets the policy anew, looks at what it would drop, and enables it. Somebody else may do so meanwhile.
pub fn renew(client: &mut Client, repository: &str) -> Result<bool, Lost> {
    let rule = |pusher: usize| {
        json!({
            "name": format!("builds-{pusher}"),
            "tags": [format!("build-{pusher}-*")],
            "keep": { "newest": BUILDS_KEPT },
        })
    };
    let policy = json!({ "rules": (0..PUSHERS).map(rule).collect::<Vec<_>>() });
    let path = format!("/api/v1/repositories/{}/retention", repository.replace('/', "%2F"));
    let mut ask = |method, tail: &str, body: Value| {
        let headers = [("Content-Type", "application/json")];
        client.ask(method, &format!("{path}{tail}"), &headers, Some(body.to_string().as_bytes()))
    };
    let set = ask(Method::PUT, "", policy)?;
    if set.status != 200 {
        // Nobody has pushed to it yet.
        assert_eq!(set.status, 404, "{}", set.text());
        return Ok(false);
    }
    let version = set.json()["version"].clone();
    for (tail, body) in [("/preview", json!({})), ("/enable", json!({ "version": version }))] {
        let done = ask(Method::POST, tail, body)?;
        if done.status != 200 {
            let refused = [409, 412].contains(&done.status);
            assert!(refused, "{tail}: {} {}", done.status, done.text());
            return Ok(false);
        }
    }
    Ok(true)
}
