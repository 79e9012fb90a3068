//! Whole repositories that are deleted: as if they had never been, and back while their grace lasts.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::{bearer, content, manifest};
use crate::people::Api;
use crate::support::program::{run, wait_until};
use crate::support::registry::{Reply, digest};
use crate::support::server::program;

const PRIVATE: &str = "/repositories/team%2Fprivate";
const RESTORE: &str = "/deleted-repositories/team%2Fprivate/restore";

/// The status and the code of a refusal.
fn problem(reply: &Reply) -> (u16, String) {
    let (status, code, _) = crate::people::problem(reply);
    (status, code)
}

fn delete(api: &Api) -> Reply {
    api.ask(&api.login("ada"), Method::DELETE, PRIVATE, None)
}

fn restore(api: &Api, what: Value) -> Reply {
    api.ask(&api.login("ada"), Method::POST, RESTORE, Some(&what))
}

/// What the administrator sees as deleted in `team`.
fn deleted(api: &Api) -> Vec<Value> {
    let reply = api.get(&api.login("ada"), "/namespaces/team/deleted-repositories");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["items"].as_array().unwrap().clone()
}

/// What a pull of the image, its blob and the list of tags is answered.
fn pulls(api: &Api, bearer: &str) -> [Reply; 4] {
    let layer = digest(&content("team/private"));
    let image = digest(&manifest("team/private"));
    ["manifests/v1", &format!("manifests/{image}"), &format!("blobs/{layer}"), "tags/list"]
        .map(|what| api.house.ask(Method::GET, &format!("/v2/team/private/{what}"), bearer))
}

#[test]
fn a_repository_is_gone_and_comes_back_with_its_tags_and_layers() {
    let api = Api::start();
    let token = bearer(&api.house.token("reader", "repository:team/private:pull"));
    let before = pulls(&api, &token);
    assert_eq!(before.each_ref().map(|reply| reply.status), [200; 4]);
    let settings = api.root(Method::GET, PRIVATE, None);
    let gone = delete(&api);
    assert_eq!(gone.status, 204, "{}", gone.text());
    let mut plan = Command::new(program());
    plan.args(["gc", "plan", "--json", "--data"]).arg(api.house.data());
    let plan = run(&mut plan);
    let plan: Vec<Value> = plan.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let going: Vec<_> = plan.iter().filter(|line| line["kind"] == "repository").collect();
    let told = (&going[0]["repository"], &going[0]["frees"], &going[0]["manifests"]);
    let size = content("team/private").len();
    assert_eq!(told, (&json!("team/private"), &json!(size), &json!(1)), "{plan:?}");
    assert_eq!(going.len(), 1);
    // With the token of before, in what a cache has heard of, and twice.
    for _ in 0..2 {
        assert_eq!(pulls(&api, &token).map(|reply| reply.status), [404; 4]);
    }
    assert_eq!(api.get(&api.login("ada"), PRIVATE).status, 404);
    assert_eq!(problem(&delete(&api)).0, 404);
    let list = api.root(Method::GET, "/repositories?namespace=team", None);
    assert!(!list.to_string().contains("team/private"), "{list}");
    // Nor does anybody get a blob out of it.
    let scope = "repository:ada/new:pull,push repository:team/private:pull";
    let both = bearer(&api.house.token("ada", scope));
    let layer = content("team/private");
    let mount = format!("/v2/ada/new/blobs/uploads/?mount={}&from=team/private", digest(&layer));
    assert_eq!(api.house.ask(Method::POST, &mount, &both).status, 202);

    let found = deleted(&api);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["name"], &found[0]["deleted_by"]),
        (&json!("team/private"), &json!("user:ada"))
    );
    let moment =
        |field: &str| found[0][field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let left = moment("restorable_until").duration_since(moment("deleted_at"));
    assert_eq!(left, jiff::SignedDuration::from_hours(24));

    let back = restore(&api, json!({}));
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(back.json(), settings);
    let after = pulls(&api, &token);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((after.status, &after.body), (200, &before.body));
    }
    assert_eq!(deleted(&api), Vec::<Value>::new());
    assert_eq!(problem(&restore(&api, json!({}))).0, 404);
    for action in ["repository.delete", "repository.restore"] {
        let log = api.root(Method::GET, &format!("/audit?namespace=team&action={action}"), None);
        assert_eq!(log["items"][0]["by"], "user:ada", "{log}");
        assert_eq!(log["items"][0]["target"], "repository:team/private", "{log}");
    }
}

#[test]
fn another_of_the_name_stays_and_the_old_one_takes_another() {
    let api = Api::start();
    assert_eq!(delete(&api).status, 204);
    api.house.push("ada", "team/private");
    assert_eq!(problem(&restore(&api, json!({}))), (409, "taken".to_owned()));
    assert_eq!(problem(&restore(&api, json!({ "to": "team/public" }))).0, 409);
    // Nobody takes it along to where they do not administer.
    let stranger = restore(&api, json!({ "to": "bob/taken" }));
    assert_eq!(stranger.status, 404, "{}", stranger.text());
    let number = deleted(&api)[0]["number"].clone();
    assert_eq!(problem(&restore(&api, json!({ "to": "ada/old", "number": 4711 }))).0, 404);
    let back = restore(&api, json!({ "to": "ada/old", "number": number }));
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(back.json()["name"], "ada/old");
    for (repository, user) in [("ada/old", "ada"), ("team/private", "reader")] {
        let token = bearer(&api.house.token(user, &format!("repository:{repository}:pull")));
        let pull = format!("/v2/{repository}/manifests/v1");
        assert_eq!(api.house.ask(Method::GET, &pull, &token).body, manifest("team/private"));
    }
}

#[test]
fn what_is_kept_keeps_its_repository() {
    let api = Api::start();
    let refusal = || {
        let reply = delete(&api);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        (problem(&reply), detail)
    };
    let pin = format!("{PRIVATE}/pins/release");
    api.root(Method::PUT, &pin, Some(&json!({ "tag": "v1" })));
    let (code, detail) = refusal();
    assert_eq!(code, (409, "pinned".to_owned()));
    assert!(detail.contains("the pin release keeps"), "{detail}");
    api.root(Method::DELETE, &pin, None);
    let policy = json!({ "name": "releases", "patterns": ["v*"] });
    api.root(Method::POST, "/namespaces/team/immutability", Some(&policy));
    let (code, detail) = refusal();
    assert_eq!(code, (409, "immutable".to_owned()));
    assert!(detail.contains("releases") && detail.contains("v1"), "{detail}");
    api.root(Method::DELETE, "/namespaces/team/immutability/releases", None);
    let writes = format!("{PRIVATE}/writes");
    api.root(Method::PUT, &writes, Some(&json!({ "mode": "read-only" })));
    assert_eq!(refusal().0, (409, "read-only".to_owned()));
    api.root(Method::PUT, &writes, Some(&json!({ "mode": "writable" })));
    assert_eq!(delete(&api).status, 204);
}

#[test]
fn what_comes_back_must_fit_into_the_quota() {
    let api = Api::start();
    assert_eq!(delete(&api).status, 204);
    api.root(Method::PUT, "/namespaces/team/quota", Some(&json!({ "manifests": 2 })));
    let full = restore(&api, json!({}));
    assert_eq!(problem(&full), (409, "over-quota".to_owned()));
    let detail = full.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("team"), "{detail}");
    api.root(Method::DELETE, "/namespaces/team/quota", None);
    assert_eq!(restore(&api, json!({})).status, 200);
}

fn objects(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => objects(&entry.path()),
        _ => 1,
    };
    entries.flatten().map(count).sum()
}

#[test]
fn a_repository_leaves_the_store_when_its_grace_is_over() {
    let api = Api::start_with(&[
        ("WHARF_GARBAGE_GRACE", "3100ms"),
        ("WHARF_GARBAGE_INTERVAL", "100ms"),
        ("WHARF_UPLOADS_LIFETIME", "1s"),
        ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "1s"),
        ("WHARF_DATABASE_TIMEOUT", "1s"),
    ]);
    let store = api.house.data().join("blobs").join("objects");
    let all = objects(&store);
    assert_eq!(delete(&api).status, 204);
    wait_until("its blob has left the store", Duration::from_secs(120), || {
        objects(&store) == all - 1
    });
    assert_eq!(deleted(&api), Vec::<Value>::new());
    assert_eq!(problem(&restore(&api, json!({}))).0, 404);
    let log = api.root(Method::GET, "/audit?namespace=team&action=repository.purge", None);
    assert_eq!(log["items"][0]["by"], "system", "{log}");
    // Others are as they were.
    let token = bearer(&api.house.token("reader", "repository:team/internal:pull"));
    let pull = api.house.ask(Method::GET, "/v2/team/internal/manifests/v1", &token);
    assert_eq!(pull.body, manifest("team/internal"));
}
