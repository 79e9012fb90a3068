//! Garbage collection of the whole program with a grace of seconds: what nothing needs leaves the store, all else stays, and pushes go on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "garbage/collectors.rs"]
mod collectors;
#[path = "soak/store.rs"]
mod store;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::engines::Shared;
use support::metrics;
use support::program::{run, wait_until};
use support::random::Random;
use support::registry::{Registry, digest, image_manifest};
use support::server::Server;
use ureq::http::Method;

/// The shortest grace that the other settings allow.
const HASTE: [(&str, &str); 5] = [
    ("WHARF_GARBAGE_GRACE", "3100ms"),
    ("WHARF_GARBAGE_INTERVAL", "100ms"),
    ("WHARF_UPLOADS_LIFETIME", "1s"),
    ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "1s"),
    ("WHARF_DATABASE_TIMEOUT", "1s"),
];

/// Many times as long as all steps take.
const GONE_WITHIN: Duration = Duration::from_secs(120);

/// How many objects there are below a folder.
fn objects(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => objects(&entry.path()),
        _ => 1,
    };
    entries.flatten().map(count).sum()
}

fn stored(server: &Server) -> usize {
    objects(&server.data().join("blobs").join("objects"))
}

/// Pushes an image of these blobs; returns the digest of its manifest, or the status by which a request was refused.
fn push(
    registry: &Registry,
    repository: &str,
    blobs: &[Vec<u8>],
    tag: &str,
) -> Result<String, u16> {
    for blob in blobs {
        let reply = registry.push_blob(repository, blob).unwrap();
        if reply.status != 201 {
            return Err(reply.status);
        }
    }
    let named: Vec<_> = blobs.iter().map(|blob| (digest(blob), blob.len())).collect();
    let manifest = image_manifest(&named, tag);
    let reply = registry.push_manifest(repository, tag, &[], &manifest).unwrap();
    if reply.status == 201 { Ok(digest(&manifest)) } else { Err(reply.status) }
}

fn delete(registry: &Registry, repository: &str, manifest: &str) {
    let reply = registry.delete_manifest(repository, manifest).unwrap();
    assert_eq!(reply.status, 202, "{}", reply.text());
}

#[test]
fn what_was_deleted_leaves_the_store_and_what_is_shared_stays() {
    let server = Server::start_with(&[&HASTE[..], &[metrics::LISTEN]].concat());
    let registry = server.registry();
    let (base, one, two) = (vec![0; 100_000], vec![1; 100_000], vec![2; 100_000]);
    let first = push(&registry, "team/one", &[base.clone(), one.clone()], "v1").unwrap();
    push(&registry, "team/two", &[base.clone(), two.clone()], "v1").unwrap();
    let loose = vec![3; 1000];
    assert_eq!(registry.push_blob("team/one", &loose).unwrap().status, 201);
    assert_eq!(stored(&server), 4);
    delete(&registry, "team/one", &first);
    wait_until("garbage has left the store", GONE_WITHIN, || stored(&server) == 2);
    // The rest of it is only marked by now; it is not less when it was looked at again.
    for gone in [&one, &loose] {
        assert_eq!(registry.blob("team/one", &digest(gone)).unwrap().status, 404);
    }
    assert_eq!(registry.blob("team/one", &digest(&base)).unwrap().status, 404);
    for kept in [&base, &two] {
        let reply = registry.blob("team/two", &digest(kept)).unwrap();
        assert_eq!((reply.status, &reply.body), (200, kept));
    }
    let collected = |what: &str| {
        metrics::value(&server, &format!("wharf_garbage_collected_total{{what=\"{what}\"}}"))
    };
    wait_until("what was deleted is counted", GONE_WITHIN, || collected("object") == 2.0);
    assert_eq!(collected("membership"), 3.0);
    // What was deleted just now is pushed again, to another key.
    let again = push(&registry, "team/one", &[base.clone(), one.clone()], "v1").unwrap();
    assert_eq!(again, first);
    assert_eq!(registry.blob("team/one", &digest(&one)).unwrap().body, one);
    assert_eq!(stored(&server), 3);
}

/// By itself nothing would be collected within a test.
const BY_HAND: [(&str, &str); 2] =
    [("WHARF_GARBAGE_GRACE", "3100ms"), ("WHARF_GARBAGE_INTERVAL", "1d")];

/// A server whose garbage is collected by commands.
struct Stand {
    server: Server,
    settings: Vec<(String, String)>,
}

impl Stand {
    fn with(settings: &[(&str, &str)]) -> Stand {
        let own = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Stand { server: Server::start_with(settings), settings: own.collect() }
    }

    /// What `wharf gc` prints, each line as JSON.
    fn gc(&self, command: &[&str]) -> Vec<Value> {
        let mut wharf = Command::new(support::server::program());
        wharf.envs(self.settings.iter().map(|(name, text)| (name, text)));
        wharf.arg("gc").args(command).args(["--json", "--data"]).arg(self.server.data());
        run(&mut wharf).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn status(&self) -> Value {
        self.gc(&["status"]).remove(0)
    }

    /// The lines of the plan that are about things of one kind.
    fn plan(&self, kind: &str) -> Vec<Value> {
        let mut plan = self.gc(&["plan"]);
        plan.retain(|line| line["kind"] == kind);
        plan
    }

    /// Collects until the status has a number.
    fn until(&self, what: &str, field: &str, count: u64) {
        wait_until(what, GONE_WITHIN, || {
            self.gc(&["run"]);
            self.status()[field] == count
        });
    }

    /// Whether the store has the object of a blob that is on its way out.
    fn is_stored(&self, blob: &[u8]) -> bool {
        let plan = self.plan("blob");
        let line = plan.iter().find(|line| line["digest"] == digest(blob)).unwrap();
        assert!(line["size"].is_null() || line["size"] == blob.len(), "{line}");
        !line["size"].is_null()
    }
}

fn garbage_is_looked_at_and_collected_by_hand(stand: &Stand) {
    let registry = stand.server.registry();
    let blob = vec![7; 1234];
    let manifest = push(&registry, "app", std::slice::from_ref(&blob), "v1").unwrap();
    let name = format!("app@{manifest}");
    let explained = stand.gc(&["explain", &name]).remove(0);
    assert_eq!(
        (&explained["state"], &explained["kept_by"][0]["tag"]),
        (&json!("stays"), &json!("v1"))
    );
    assert_eq!(stand.status()["deleted_manifests"], 0);
    delete(&registry, "app", &manifest);
    assert_eq!(stand.status()["deleted_manifests"], 1);
    assert_eq!(stand.status()["unneeded_memberships"], 1);
    let plan = stand.gc(&["plan"]);
    assert_eq!(plan.len(), 1, "what the trash needs is counted with it: {plan:?}");
    let manifest_size = image_manifest(&[(digest(&blob), blob.len())], "v1").len();
    let place = (&plan[0]["kind"], &plan[0]["repository"], &plan[0]["digest"]);
    assert_eq!(place, (&json!("manifest"), &json!("app"), &json!(manifest)));
    assert_eq!(plan[0]["frees"], json!(blob.len() + manifest_size));
    let explained = stand.gc(&["explain", &name]).remove(0);
    let expected = (&json!("deleted"), &plan[0]["due_micros"]);
    assert_eq!((&explained["state"], &explained["due_micros"]), expected);
    stand.until("its blob is marked", "marked_blobs", 1);
    let plan = stand.plan("blob");
    assert_eq!(plan.len(), 1);
    assert_eq!((&plan[0]["digest"], &plan[0]["size"]), (&json!(digest(&blob)), &json!(1234)));
    assert_eq!(plan[0]["kept_because"], Value::Null);
    assert!(stand.is_stored(&blob));
    stand.until("its object is deleted", "deleted_keys", 1);
    assert!(stand.gc(&["plan"]).is_empty());
    // What one repository lets go of and another one holds is marked, and stays.
    let shared = vec![8; 500];
    push(&registry, "other", std::slice::from_ref(&shared), "v1").unwrap();
    assert_eq!(registry.push_blob("app", &shared).unwrap().status, 201);
    stand.until("it is let go of", "marked_blobs", 1);
    let plan = stand.plan("blob");
    assert_eq!(plan.len(), 1);
    assert_eq!(plan[0]["kept_because"], "other holds it");
    assert!(stand.is_stored(&shared));
    stand.until("it is spared", "marked_blobs", 0);
    assert_eq!(registry.blob("app", &digest(&shared)).unwrap().status, 404);
    assert_eq!(registry.blob("other", &digest(&shared)).unwrap().body, shared);
    assert!(stand.gc(&["plan"]).is_empty());
}

#[test]
fn garbage_is_looked_at_and_collected_by_hand_in_files() {
    let stand = Stand::with(&[&HASTE[2..], &BY_HAND].concat());
    garbage_is_looked_at_and_collected_by_hand(&stand);
    assert_eq!(stored(&stand.server), 1);
}

#[test]
fn garbage_is_looked_at_and_collected_by_hand_in_a_bucket() {
    let shared = Shared::new();
    // In which a bucket on a busy machine takes an upload.
    let slower = [
        ("WHARF_GARBAGE_GRACE", "10100ms"),
        ("WHARF_GARBAGE_INTERVAL", "1d"),
        ("WHARF_UPLOADS_LIFETIME", "5s"),
        ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "3s"),
        ("WHARF_DATABASE_TIMEOUT", "2s"),
    ];
    let stand = Stand::with(&[&shared.settings()[..], &slower].concat());
    garbage_is_looked_at_and_collected_by_hand(&stand);
}

/// Each with what goes with it, until somebody needs it.
#[test]
fn blobs_and_uploads_that_came_to_nothing_are_in_the_plan() {
    let stand = Stand::with(&[]);
    let registry = stand.server.registry();
    let (alone, shared) = (vec![1; 3000], vec![2; 4000]);
    push(&registry, "other", std::slice::from_ref(&shared), "v1").unwrap();
    for blob in [&alone, &shared] {
        assert_eq!(registry.push_blob("app", blob).unwrap().status, 201);
    }
    let place = registry.open_upload("app").unwrap();
    assert_eq!(registry.push_chunk(&place, 0, &[3; 500]).unwrap().status, 202);
    let of_blobs = stand.plan("membership");
    let frees = |blob: &[u8]| {
        let line = of_blobs.iter().find(|line| line["digest"] == digest(blob)).unwrap();
        assert_eq!(line["repository"], "app");
        assert!(line["due_micros"].is_i64(), "{line}");
        line["frees"].clone()
    };
    assert_eq!((of_blobs.len(), frees(&alone), frees(&shared)), (2, json!(3000), json!(0)));
    let uploads = stand.plan("upload");
    assert_eq!(uploads.len(), 1, "{uploads:?}");
    let told = (&uploads[0]["repository"], &uploads[0]["frees"]);
    assert_eq!(told, (&json!("app"), &json!(500)));
    let status = stand.status();
    assert_eq!((&status["uploads"], &status["unneeded_memberships"]), (&json!(1), &json!(2)));
    assert_eq!(status["at_least"], json!([]), "all of so few are counted");
    // In words, with sums.
    let mut wharf = Command::new(support::server::program());
    wharf.args(["gc", "plan", "--data"]).arg(stand.server.data());
    let said = run(&mut wharf);
    for sum in [
        "2 blobs are in repositories whose manifests do not need them, 3000 bytes",
        "1 uploads are open or have expired, 500 bytes",
    ] {
        assert!(said.contains(sum), "{said}");
    }
    push(&registry, "app", std::slice::from_ref(&alone), "v1").unwrap();
    assert_eq!(stand.plan("membership").len(), 1);
}

#[test]
fn untagged_manifests_go_where_that_is_asked_for() {
    let settings = [&HASTE[..], &[("WHARF_GARBAGE_UNTAGGED_AFTER", "4s")]].concat();
    let server = Server::start_with(&settings);
    let registry = server.registry();
    let old = push(&registry, "app", &[vec![1; 1000]], "latest").unwrap();
    let new = push(&registry, "app", &[vec![2; 1000]], "latest").unwrap();
    wait_until("the old image has left the store", GONE_WITHIN, || stored(&server) == 1);
    assert_eq!(registry.manifest("app", &old).unwrap().status, 404);
    assert_eq!(registry.manifest("app", &new).unwrap().status, 200);
    assert_eq!(registry.manifest("app", "latest").unwrap().status, 200);
}

/// As by `docker push`, which leaves out what it is told is there, and may take a while with the rest.
#[test]
fn a_blob_that_a_pusher_asked_for_stays_until_its_manifest_comes() {
    let server = Server::start_with(&HASTE);
    let registry = server.registry();
    let (asked, other) = (vec![1; 1000], vec![2; 1000]);
    for blob in [&asked, &other] {
        assert_eq!(registry.push_blob("app", blob).unwrap().status, 201);
    }
    let head = |blob: &[u8]| {
        let target = format!("/v2/app/blobs/{}", digest(blob));
        registry.send(Method::HEAD, &target, &[], None).unwrap().status
    };
    // Several graces long, and each time from the cache if it were up to that.
    wait_until("nobody asked for it, and it goes", GONE_WITHIN, || {
        assert_eq!(head(&asked), 200);
        stored(&server) == 1
    });
    thread::sleep(Duration::from_secs(1));
    let manifest = image_manifest(&[(digest(&asked), asked.len())], "asked");
    let reply = registry.push_manifest("app", "v1", &[], &manifest).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(head(&other), 404);
}

/// Several push, mount and delete the same blobs at once, for many times the grace. What was acknowledged can be pulled whole at any time,
/// and when all is deleted nothing is left.
#[test]
fn nothing_is_lost_and_nothing_is_left_behind() {
    let seed = Random::seed_from("WHARF_GARBAGE_SEED");
    let seconds = std::env::var("WHARF_GARBAGE_SECONDS").map_or(25, |text| text.parse().unwrap());
    println!("WHARF_GARBAGE_SEED={seed} WHARF_GARBAGE_SECONDS={seconds}");
    let server = Server::start_with(&HASTE);
    let until = Instant::now() + Duration::from_secs(seconds);
    thread::scope(|scope| {
        for worker in 0..4 {
            let registry = server.registry();
            scope.spawn(move || churn(&registry, worker, Random::seeded(seed ^ worker), until));
        }
    });
    assert!(stored(&server) > 0, "nothing was pushed");
    wait_until("the store is empty", GONE_WITHIN, || stored(&server) == 0);
}

/// One of several that work on a few blobs that all of them have. Ends with nothing of its own left.
fn churn(registry: &Registry, worker: u64, mut random: Random, until: Instant) {
    let repository = format!("churn/{worker}");
    let mut images: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut count = 0;
    while Instant::now() < until {
        count += 1;
        match random.below(10) {
            0..5 => {
                let blobs: Vec<Vec<u8>> =
                    (0..1 + random.below(3)).map(|_| vec![random.below(6) as u8; 2000]).collect();
                let tag = format!("t{}", random.below(3));
                let pushed =
                    push_or_mount(registry, &repository, &blobs, &tag, worker, &mut random);
                images.insert(pushed, blobs);
            }
            5..8 => {
                let known: Vec<_> = images.keys().cloned().collect();
                if let Some(manifest) = random.choose(&known) {
                    delete(registry, &repository, manifest);
                    images.remove(manifest);
                }
            }
            _ => random.moment(Duration::from_millis(400)),
        }
        if count % 5 == 0 {
            check(registry, &repository, &images);
        }
    }
    check(registry, &repository, &images);
    for manifest in images.keys() {
        delete(registry, &repository, manifest);
    }
}

/// As clients do: a blob that the repository has already is not sent, and one of another repository is mounted.
fn push_or_mount(
    registry: &Registry,
    repository: &str,
    blobs: &[Vec<u8>],
    tag: &str,
    worker: u64,
    random: &mut Random,
) -> String {
    for blob in blobs {
        let digest = digest(blob);
        let head = format!("/v2/{repository}/blobs/{digest}");
        if registry.send(Method::HEAD, &head, &[], None).unwrap().status == 200 {
            continue;
        }
        let from = (worker + 1 + random.below(3)) % 4;
        let mount = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from=churn/{from}");
        let reply = registry.send(Method::POST, &mount, &[], Some(b"")).unwrap();
        if reply.status == 202 {
            let place = reply.header("Location").unwrap().to_owned();
            let sent = registry.close_upload(&place, &digest, blob).unwrap();
            assert_eq!(sent.status, 201, "{}", sent.text());
        } else {
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
    }
    let named: Vec<_> = blobs.iter().map(|blob| (digest(blob), blob.len())).collect();
    let manifest = image_manifest(&named, tag);
    let reply = registry.push_manifest(repository, tag, &[], &manifest).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    digest(&manifest)
}

/// Every image is there with all its bytes.
fn check(registry: &Registry, repository: &str, images: &BTreeMap<String, Vec<Vec<u8>>>) {
    for (manifest, blobs) in images {
        let reply = registry.manifest(repository, manifest).unwrap();
        assert_eq!(reply.status, 200, "{manifest}: {}", reply.text());
        for blob in blobs {
            let reply = registry.blob(repository, &digest(blob)).unwrap();
            assert_eq!(reply.status, 200, "{manifest}: {}", reply.text());
            assert!(reply.body == *blob, "{manifest}");
        }
    }
}
