//! The policy of retention of each repository: of the builds of each pusher it keeps the newest.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::book::BUILDS_KEPT;
use crate::client::{Client, Lost};
use crate::support::program::wait_until;

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

/// How long it may take until policies have dropped what they drop.
const DROPPED_WITHIN: Duration = Duration::from_secs(60);

/// Has each policy be in force, and waits until no pusher has more builds in a repository than it keeps.
pub fn have_dropped(client: &mut Client, repositories: &[String], hasten: impl Fn()) {
    for repository in repositories {
        wait_until("the policy is in force", DROPPED_WITHIN, || {
            let is_there = client.get(&format!("/v2/{repository}/tags/list")).status == 200;
            !is_there || renew(client, repository).unwrap_or(false)
        });
        wait_until("the policy has dropped what it drops", DROPPED_WITHIN, || {
            hasten();
            (0..PUSHERS).all(|pusher| builds(client, repository, pusher) <= BUILDS_KEPT)
        });
    }
}

/// How many builds of a pusher a repository lists.
fn builds(client: &mut Client, repository: &str, pusher: usize) -> usize {
    let listed = client.get(&format!("/v2/{repository}/tags/list?n=1000"));
    if listed.status == 404 {
        return 0;
    }
    assert_eq!(listed.status, 200, "{}", listed.text());
    let prefix = format!("build-{pusher}-");
    let tags = listed.json()["tags"].as_array().cloned().unwrap_or_default();
    tags.iter().filter(|tag| tag.as_str().unwrap().starts_with(&prefix)).count()
}
