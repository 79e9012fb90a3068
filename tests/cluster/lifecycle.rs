//! Tags over time, retention and usage, on three nodes that share everything: as on one machine.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Method;

use crate::house::{PASSWORD, basic, bearer};
use crate::people::Cluster;
use crate::support::program::{run, wait_until};
use crate::support::registry::{Registry, Reply, digest, image_manifest};
use crate::support::server::program;

/// Waits of nodes, as short as they may be, with time enough for what is done before manifests without a tag go.
const HASTE: [(&str, &str); 9] = [
    ("WHARF_GARBAGE_GRACE", "10100ms"),
    ("WHARF_GARBAGE_INTERVAL", "100ms"),
    ("WHARF_GARBAGE_UNTAGGED_AFTER", "45s"),
    ("WHARF_RETENTION_INTERVAL", "1s"),
    ("WHARF_UPLOADS_LIFETIME", "5s"),
    ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "3s"),
    ("WHARF_DATABASE_TIMEOUT", "2s"),
    ("WHARF_BLOBS_TIMEOUT", "10s"),
    // Each request has a token of its own.
    ("WHARF_LIMITS_EXEMPT_NETWORKS", "127.0.0.0/8"),
];

/// Many times as long as anything takes.
const DONE_WITHIN: Duration = Duration::from_secs(180);

/// Who does everything: `ada`, whose organization it is. Each request goes to the next node.
struct Ada {
    cluster: Cluster,
    registry: Registry,
    basic: String,
}

impl Ada {
    fn start() -> Ada {
        let cluster = Cluster::start(&HASTE);
        let registry = cluster.nodes.registry();
        let basic = basic("ada", &cluster.admin(&["token", "ada", "--role", "admin"]));
        Ada { cluster, registry, basic }
    }

    fn pull(&self, repository: &str, what: &str) -> Reply {
        self.ask(repository, Method::GET, what, None)
    }

    fn ask(&self, repository: &str, method: Method, what: &str, body: Option<&[u8]>) -> Reply {
        let scope = format!("repository:{repository}:pull,push,delete");
        let token = bearer(&self.cluster.token(&self.registry, "ada", &scope));
        let mut headers = vec![("Authorization", token.as_str())];
        if body.is_some() && what.starts_with("manifests/") {
            headers.push(("Content-Type", crate::support::registry::OCI_MANIFEST));
        }
        let target = format!("/v2/{repository}/{what}");
        self.registry.send(method, &target, &headers, body).unwrap()
    }

    /// Pushes an image that has a blob of its own, and returns its digest.
    fn push(&self, repository: &str, tag: &str, mark: &str) -> String {
        let blob = mark.as_bytes();
        let upload = format!("blobs/uploads/?digest={}", digest(blob));
        let sent = self.ask(repository, Method::POST, &upload, Some(blob));
        assert_eq!(sent.status, 201, "{}", sent.text());
        let image = image_manifest(&[(digest(blob), blob.len())], mark);
        let manifest = format!("manifests/{tag}");
        let pushed = self.ask(repository, Method::PUT, &manifest, Some(&image));
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        digest(&image)
    }

    /// A request of the management API below a repository, which must be done.
    fn manage(&self, repository: &str, method: Method, tail: &str, body: Value) -> Value {
        let target = format!("/api/v1/repositories/{}{tail}", repository.replace('/', "%2F"));
        let headers =
            [("Authorization", self.basic.as_str()), ("Content-Type", "application/json")];
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_bytes());
        let reply = self.registry.send(method, &target, &headers, body).unwrap();
        assert!((200..300).contains(&reply.status), "{target}: {}", reply.text());
        reply.json()
    }

    fn read(&self, repository: &str, tail: &str) -> Value {
        self.manage(repository, Method::GET, tail, Value::Null)
    }

    fn tags(&self, repository: &str) -> Vec<String> {
        let listed = self.read(repository, "/tags");
        let names = listed["items"].as_array().unwrap().iter();
        names.map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
    }

    /// When a tag came to a version.
    fn when(&self, repository: &str, tag: &str, version: u64) -> String {
        let history = self.read(repository, &format!("/tags/{tag}/history"));
        let changes = history["items"].as_array().unwrap();
        let change = changes.iter().find(|change| change["version"] == version).unwrap();
        change["at"].as_str().unwrap().to_owned()
    }

    /// `wharf du`, by a login as `docker login` leaves it.
    fn du(&self) -> Value {
        let folder = TempDir::new().unwrap();
        let auth = basic("ada", PASSWORD);
        let auth = auth.strip_prefix("Basic ").unwrap();
        let config = json!({ "auths": { self.cluster.nodes.address(): { "auth": auth } } });
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let mut command = Command::new(program());
        command.args(["du", "--org", "team", "--json"]).env("DOCKER_CONFIG", folder.path());
        serde_json::from_str(&run(&mut command)).unwrap()
    }
}

/// What was left behind goes when its time is over, and a pin keeps what it is of.
#[test]
fn a_tag_goes_back_and_is_pulled_as_of_a_time_until_the_collector_comes() {
    let ada = Ada::start();
    let time = "team/time";
    let one = ada.push(time, "t", "one");
    let two = ada.push(time, "t", "two");
    let back = ada.manage(time, Method::POST, "/tags/t/rollback", json!({}));
    assert_eq!((&back["digest"], &back["version"]), (&json!(one), &json!(3)), "of {two}");
    for _ in 0..3 {
        assert_eq!(digest(&ada.pull(time, "manifests/t").body), one);
    }
    let pinned = ada.push(time, "p", "three");
    ada.push(time, "p", "four");
    let (then_t, then_p) = (ada.when(time, "t", 2), ada.when(time, "p", 1));
    let pin = json!({ "tag": "p", "as_of": then_p });
    let pin = ada.manage(time, Method::PUT, "/pins/release", pin);
    assert_eq!(pin["digest"], json!(pinned));
    let as_of = |tag: &str, at: &str| ada.pull(time, &format!("manifests/{tag}?as_of={at}"));
    let was = as_of("t", &then_t);
    assert_eq!((was.status, digest(&was.body)), (200, two.clone()), "{}", was.text());
    let images = ["one", "two", "three", "four"].map(|mark| (mark, mark.len()));
    let size = |(mark, length): (&str, usize)| {
        length + image_manifest(&[(digest(mark.as_bytes()), length)], mark).len()
    };
    let all: usize = images.into_iter().map(size).sum();
    let told = ada.du();
    assert_eq!(
        (&told["bytes"], &told["manifests"], &told["tags"]),
        (&json!(all), &json!(4), &json!(2))
    );

    wait_until("what the tag left behind is collected", DONE_WITHIN, || {
        as_of("t", &then_t).status == 410
    });
    let gone = as_of("t", &then_t);
    let said = format!("does not hold the manifest {two} any more");
    assert!(gone.text().contains(&said), "{}", gone.text());
    wait_until("each node has heard of it", DONE_WITHIN, || {
        (0..3).all(|_| ada.pull(time, &format!("manifests/{two}")).status == 404)
    });
    wait_until("its blob has left the repository", DONE_WITHIN, || {
        ada.pull(time, &format!("blobs/{}", digest(b"two"))).status == 404
    });
    assert_eq!(as_of("t", &then_t).status, 410, "still, when nothing of it is left");
    let kept = as_of("p", &then_p);
    assert_eq!((kept.status, digest(&kept.body)), (200, pinned));
    let blob = ada.pull(time, &format!("blobs/{}", digest(b"three")));
    assert_eq!((blob.status, blob.body.as_slice()), (200, b"three".as_slice()));
    let told = ada.du();
    assert_eq!((&told["bytes"], &told["manifests"]), (&json!(all - size(images[1])), &json!(3)));
}

/// What it says before, it does; and nothing is deleted by a policy that cannot be read.
#[test]
fn a_policy_is_previewed_and_run_and_one_that_cannot_be_read_drops_nothing() {
    let ada = Ada::start();
    let kept = "team/kept";
    for tag in ["b1", "b2", "b3", "latest"] {
        ada.push(kept, tag, tag);
    }
    let rule = json!({ "name": "builds", "tags": ["b*"], "keep": { "newest": 1 } });
    let set = ada.manage(kept, Method::PUT, "/retention", json!({ "rules": [rule] }));
    assert_eq!((&set["version"], &set["state"]), (&json!(1), &json!("draft")));
    let seen = ada.manage(kept, Method::POST, "/retention/preview", json!({}));
    assert_eq!((&seen["tags"], &seen["dropped"]), (&json!(4), &json!(2)), "{seen}");
    assert_eq!(ada.tags(kept).len(), 4, "nothing goes before it is enabled");
    ada.manage(kept, Method::POST, "/retention/enable", json!({ "version": 1 }));
    wait_until("the policy has run", DONE_WITHIN, || ada.tags(kept) == ["b3", "latest"]);

    let settings = ada.cluster.settings();
    let direct = settings.iter().find(|(name, _)| *name == "WHARF_DATABASE_DIRECT_URL").unwrap().1;
    let broken = r#"UPDATE retention_policies SET document = '{"rules":[{"name":"builds",
        "tags":["b*"],"keep":{"newest":1},"unless":"it is Friday"}]}'"#;
    run(Command::new("psql").args(["--quiet", "--no-psqlrc", "-c", broken, direct]));
    ada.push(kept, "b4", "b4");
    ada.push(kept, "b5", "b5");
    let problem = || ada.read(kept, "/retention")["last_run"]["problem"].clone();
    wait_until("the run tells why it drops nothing", DONE_WITHIN, || {
        problem().as_str().is_some_and(|it| it.contains("cannot be read, and drops nothing"))
    });
    let ended = || ada.read(kept, "/retention")["last_run"]["ended_at"].clone();
    let before = ended();
    wait_until("it ran again", DONE_WITHIN, || ended() != before);
    assert_eq!(ada.tags(kept), ["b3", "b4", "b5", "latest"]);
}
