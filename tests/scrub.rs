//! Scrubs of the whole program, on files and on a bucket: what is wrong is found, what is damaged is served to nobody and repaired by a push,
//! nothing else is touched, and pushes go on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "scrub/repair.rs"]
mod repair;
mod support;

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use support::engines::Shared;
use support::metrics;
use support::program::{attempt, run, wait_until};
use support::registry::{Registry, digest, image_manifest};
use support::server::{Server, program};
use tokio::runtime::Runtime;
use ureq::http::Method;
use wharf_blobs::{FileBlobs, Limits, ObjectBlobs};
use wharf_core::UploadId;
use wharf_core::blobs::{Blobs, ObjectKey, StoredObjects};
use wharf_core::clock::SystemRandom;

/// Scrubs without a rest, and a grace of seconds, in which a bucket on a busy machine takes an upload.
const HASTE: [(&str, &str); 8] = [
    ("WHARF_SCRUB_INTERVAL", "200ms"),
    ("WHARF_SCRUB_CONTENTS_INTERVAL", "200ms"),
    ("WHARF_SCRUB_RATE", "1GiB"),
    ("WHARF_GARBAGE_GRACE", "10100ms"),
    ("WHARF_GARBAGE_INTERVAL", "100ms"),
    ("WHARF_UPLOADS_LIFETIME", "5s"),
    ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "3s"),
    ("WHARF_DATABASE_TIMEOUT", "2s"),
];

/// Many times as long as all steps take.
const WITHIN: Duration = Duration::from_secs(120);

trait Store: Blobs + StoredObjects {}
impl<T: Blobs + StoredObjects> Store for T {}

/// A server, and a way to its store past it.
struct Stand {
    server: Server,
    settings: Vec<(String, String)>,
    store: Box<dyn Store>,
    runtime: Runtime,
}

impl Stand {
    fn on_files(settings: &[(&str, &str)]) -> Stand {
        let server = Server::start_with(settings);
        let store = Box::new(FileBlobs::open(&server.data().join("blobs")).unwrap());
        Stand { server, settings: owned(settings), store, runtime: Runtime::new().unwrap() }
    }

    fn on_a_bucket(settings: &[(&str, &str)]) -> Stand {
        let shared = Shared::new();
        let settings = [&shared.settings()[..], settings].concat();
        let server = Server::start_with(&settings);
        let url = shared.get("WHARF_BLOBS_URL").parse().unwrap();
        let store = ObjectBlobs::open(&url, owned(&settings), Limits::default()).unwrap();
        let (store, settings) = (Box::new(store), owned(&settings));
        Stand { server, settings, store, runtime: Runtime::new().unwrap() }
    }

    /// What is stored, with its size.
    fn stored(&self) -> BTreeSet<(String, u64)> {
        let page = self.runtime.block_on(self.store.list_objects(None, 1000)).unwrap();
        page.objects.iter().map(|object| (object.key.to_string(), object.size)).collect()
    }

    fn remove(&self, key: &ObjectKey) {
        let deletion = self.runtime.block_on(self.store.delete_all(&[*key]));
        assert!(deletion.fault.is_none(), "{:?}", deletion.fault);
    }

    /// Puts bytes under a key, whatever it says.
    fn put(&self, key: &ObjectKey, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.runtime.block_on(async {
            let upload = UploadId::random(&SystemRandom);
            let start = self.store.stage(&upload).await.unwrap();
            let chunks = Box::pin(stream::iter([bytes]));
            let staged = self.store.append(&upload, &start, chunks).await.unwrap();
            self.store.finish(&upload, &staged, key).await.unwrap();
        });
    }

    fn read(&self, key: &ObjectKey) -> Vec<u8> {
        self.runtime.block_on(async {
            // A range, since a store may refuse to give all of what is damaged.
            let content = self.store.read(key, Some(wharf_oci::ByteRange::From(0))).await.unwrap();
            content.stream.map(Result::unwrap).collect::<Vec<_>>().await.concat()
        })
    }

    fn scrub(&self, arguments: &[&str]) -> Command {
        let mut wharf = Command::new(program());
        wharf.arg("scrub").args(arguments).arg("--data").arg(self.server.data());
        wharf.envs(self.settings.iter().map(|(name, text)| (name, text)));
        wharf
    }

    /// What `wharf scrub findings` prints: kind and digest of each.
    fn findings(&self, more: &[&str]) -> Vec<(String, String)> {
        let told = run(&mut self.scrub(&[&["findings", "--json"], more].concat()));
        let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut found: Vec<_> =
            lines.map(|line| (text(&line["kind"]), text(&line["digest"]))).collect();
        found.sort();
        found
    }

    fn found(&self, kind: &str) -> f64 {
        metrics::value(&self.server, &format!("wharf_scrub_found_total{{kind=\"{kind}\"}}"))
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn key_of(bytes: &[u8]) -> ObjectKey {
    ObjectKey::canonical(digest(bytes).parse().unwrap())
}

fn push(registry: &Registry, repository: &str, blobs: &[&[u8]]) -> Vec<u8> {
    for blob in blobs {
        let reply = registry.push_blob(repository, blob).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let named: Vec<_> = blobs.iter().map(|blob| (digest(blob), blob.len())).collect();
    let manifest = image_manifest(&named, "");
    let reply = registry.push_manifest(repository, "v1", &[], &manifest).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    manifest
}

/// `HEAD` and `GET` of a blob.
fn statuses(registry: &Registry, repository: &str, blob: &[u8]) -> [u16; 2] {
    let target = format!("/v2/{repository}/blobs/{}", digest(blob));
    let head = registry.send(Method::HEAD, &target, &[], None).unwrap();
    [head.status, registry.get(&target).unwrap().status]
}

fn what_is_wrong_is_found_and_what_is_damaged_is_repaired_by_a_push(stand: &Stand) {
    let registry = stand.server.registry();
    let (sound, missing, flipped) = (vec![1; 50_000], vec![2; 50_000], vec![3; 50_000]);
    let manifest = push(&registry, "team/app", &[&sound, &missing, &flipped]);
    push(&registry, "team/other", &[&flipped]);
    for blob in [&sound, &missing, &flipped] {
        // From now on it is cached.
        assert_eq!(statuses(&registry, "team/app", blob), [200, 200]);
    }
    let orphan = vec![4; 1000];
    stand.put(&key_of(&orphan), &orphan);
    stand.remove(&key_of(&missing));
    stand.remove(&key_of(&flipped));
    let mut damaged = flipped.clone();
    damaged[12_345] ^= 1;
    stand.put(&key_of(&flipped), &damaged);

    let mut expected = vec![
        ("missing".to_owned(), digest(&missing)),
        ("unexplained".to_owned(), digest(&orphan)),
        ("wrong_digest".to_owned(), digest(&flipped)),
    ];
    wait_until("all of it is found", WITHIN, || stand.findings(&["--all"]) == expected);
    wait_until("the orphan has gone", WITHIN, || {
        !stand.stored().contains(&(key_of(&orphan).to_string(), 1000))
    });
    expected.remove(1);
    wait_until("that it went is seen", WITHIN, || stand.findings(&[]) == expected);
    for (kind, count) in [("missing", 1.0), ("unexplained", 1.0), ("wrong_digest", 1.0)] {
        assert_eq!(stand.found(kind), count, "{kind}");
    }
    assert_eq!(stand.found("wrong_size") + stand.found("unreadable"), 0.0);

    // What is damaged is served to nobody, and everything else is.
    for repository in ["team/app", "team/other"] {
        assert_eq!(statuses(&registry, repository, &flipped), [404, 404]);
        assert_eq!(registry.manifest(repository, "v1").unwrap().status, 200);
    }
    assert_eq!(statuses(&registry, "team/app", &missing), [404, 404]);
    assert_eq!(statuses(&registry, "team/app", &sound), [200, 200]);
    let again = registry.push_manifest("team/app", "v2", &[], &manifest).unwrap();
    assert_eq!(again.status, 404, "{}", again.text());
    assert!(again.text().contains(&digest(&flipped)), "{}", again.text());
    let needed = attempt(&mut stand.scrub(&["release", &digest(&flipped)])).unwrap_err();
    assert!(needed.contains("stays in quarantine"), "{needed}");

    // A push repairs it for all who hold it, and the evidence stays.
    push(&registry, "team/app", &[&sound, &missing, &flipped]);
    for (repository, blob) in
        [("team/app", &flipped), ("team/other", &flipped), ("team/app", &missing)]
    {
        // That it is not there is remembered for seconds where it was not pushed.
        wait_until("it is served again", WITHIN, || {
            registry.blob(repository, &digest(blob)).unwrap().status == 200
        });
        assert!(registry.blob(repository, &digest(blob)).unwrap().body == *blob);
    }
    wait_until("nothing is wrong any more", WITHIN, || stand.findings(&[]).is_empty());
    assert_eq!(stand.findings(&["--all"]).len(), 3);
    assert!(stand.read(&key_of(&flipped)) == damaged);
    let mut released = String::new();
    wait_until("the evidence is released", WITHIN, || {
        match attempt(&mut stand.scrub(&["release", &digest(&flipped), "--json"])) {
            Ok(told) => released = told,
            Err(refusal) => assert!(refusal.contains("garbage.grace"), "{refusal}"),
        }
        !released.is_empty()
    });
    let released: Value = serde_json::from_str(released.trim()).unwrap();
    assert_eq!(released, json!({ "digest": digest(&flipped), "released": 1 }));
    let at = |blob: &[u8], incarnation| {
        let key = ObjectKey { incarnation, ..key_of(blob) };
        (key.to_string(), blob.len() as u64)
    };
    let left = BTreeSet::from([at(&sound, 0), at(&missing, 1), at(&flipped, 1)]);
    wait_until("the evidence has gone", WITHIN, || stand.stored() == left);
}

#[test]
fn on_files() {
    let stand = Stand::on_files(&[&HASTE[..], &[metrics::LISTEN]].concat());
    let stranger = stand.server.data().join("blobs/objects/sha256/README");
    std::fs::write(&stranger, "not ours").unwrap();
    what_is_wrong_is_found_and_what_is_damaged_is_repaired_by_a_push(&stand);
    assert_eq!(std::fs::read_to_string(&stranger).unwrap(), "not ours");
    assert!(metrics::value(&stand.server, "wharf_scrub_unknown_total") > 0.0);
}

#[test]
fn on_a_bucket() {
    let stand = Stand::on_a_bucket(&[&HASTE[..], &[metrics::LISTEN]].concat());
    what_is_wrong_is_found_and_what_is_damaged_is_repaired_by_a_push(&stand);
}

/// For longer than two graces, while scrubs and collectors never rest.
#[test]
fn pushes_under_way_are_not_harmed() {
    let stand = Stand::on_files(&[&HASTE[..], &[metrics::LISTEN]].concat());
    let until = Instant::now() + Duration::from_secs(25);
    let pushed: Vec<(String, Vec<u8>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..3_u8)
            .map(|worker| {
                let registry = stand.server.registry();
                scope.spawn(move || churn(&registry, worker, until))
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(pushed.len() > 10, "{} pushes", pushed.len());
    let registry = stand.server.registry();
    for (repository, blob) in &pushed {
        assert!(registry.blob(repository, &digest(blob)).unwrap().body == *blob);
    }
    assert!(stand.findings(&["--all"]).is_empty(), "{:?}", stand.findings(&["--all"]));
    let rounds = metrics::value(&stand.server, "wharf_scrub_looked_at_total{pass=\"objects\"}");
    assert!(rounds > pushed.len() as f64, "scrubs looked at {rounds} objects");
}

/// Pushes images of new blobs, some in chunks that come late. Returns what was acknowledged.
fn churn(registry: &Registry, worker: u8, until: Instant) -> Vec<(String, Vec<u8>)> {
    let repository = format!("churn/{worker}");
    let mut pushed = Vec::new();
    while Instant::now() < until {
        let blob = format!("{worker} {} ", pushed.len()).repeat(2000).into_bytes();
        let (first, rest) = blob.split_at(blob.len() / 2);
        let place = registry.open_upload(&repository).unwrap();
        let chunk = registry.push_chunk(&place, 0, first).unwrap();
        assert_eq!(chunk.status, 202, "{}", chunk.text());
        thread::sleep(Duration::from_millis(300));
        let place = chunk.header("Location").unwrap().to_owned();
        let closed = registry.close_upload(&place, &digest(&blob), rest).unwrap();
        assert_eq!(closed.status, 201, "{}", closed.text());
        thread::sleep(Duration::from_millis(300));
        let manifest = image_manifest(&[(digest(&blob), blob.len())], "");
        let reply = registry.push_manifest(&repository, "latest", &[], &manifest).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        pushed.push((repository.clone(), blob));
    }
    pushed
}

#[test]
fn scrubs_are_looked_at_and_begun_by_hand() {
    // By itself none would come within this test, but for the first.
    let settings = [("WHARF_SCRUB_INTERVAL", "1d"), ("WHARF_SCRUB_CONTENTS_INTERVAL", "1d")];
    let stand = Stand::on_files(&settings);
    let status = || -> Value {
        serde_json::from_str(&run(&mut stand.scrub(&["status", "--json"]))).unwrap()
    };
    let passes = ["contents", "manifests", "objects", "quarantined", "references"];
    let ended = |pass: &str| !status()["passes"][pass]["ended_micros"].is_null();
    wait_until("the first scrubs have ended", WITHIN, || passes.iter().all(|pass| ended(pass)));
    assert_eq!(status()["passes"]["contents"]["bytes"], 0);
    let blob = vec![7; 1234];
    push(&stand.server.registry(), "app", &[&blob]);
    wait_until("the contents are hashed", WITHIN, || {
        let begun = run(&mut stand.scrub(&["run", "--json"]));
        assert_eq!(begun.lines().count(), 5);
        status()["passes"]["contents"]["bytes"] == 1234
    });
    wait_until("references are looked at", WITHIN, || {
        status()["passes"]["references"]["looked_at"] == 1
    });
    assert_eq!(status()["open"], json!({}));
    let text = run(&mut stand.scrub(&["status"]));
    assert!(text.contains("0  findings are open"), "{text}");
    let unknown = attempt(&mut stand.scrub(&["release", &digest(&blob)])).unwrap_err();
    assert!(unknown.contains("is not in quarantine"), "{unknown}");
}
