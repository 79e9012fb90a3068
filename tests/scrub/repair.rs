//! What is damaged and has a copy is repaired from it, without anybody who pushes; and what is damaged is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use wharf_core::blobs::ObjectKey;

use super::support::metrics;
use super::support::program::{attempt, run, wait_until};
use super::support::registry::digest;
use super::{HASTE, Stand, WITHIN, key_of, push, statuses};

/// Puts a blob into the folder of another registry.
fn lay_down(old: &Path, bytes: &[u8]) {
    let hex = digest(bytes).trim_start_matches("sha256:").to_owned();
    let folder = format!("docker/registry/v2/blobs/sha256/{}/{hex}", &hex[..2]);
    fs::create_dir_all(old.join(&folder)).unwrap();
    fs::write(old.join(&folder).join("data"), bytes).unwrap();
}

fn adopting(old: &TempDir) -> Stand {
    let url = format!("file://{}", old.path().display());
    let adopted = ("WHARF_BLOBS_ADOPTED", url.as_str());
    Stand::on_files(&[&HASTE[..], &[metrics::LISTEN, adopted]].concat())
}

impl Stand {
    /// What `wharf scrub findings --all` says of a kind: from what each was repaired.
    fn repaired_from(&self, kind: &str) -> Vec<Option<String>> {
        let told = run(&mut self.scrub(&["findings", "--all", "--json"]));
        let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_kind = lines.filter(|line| line["kind"] == kind);
        of_kind.map(|line| line["repaired_from"].as_str().map(str::to_owned)).collect()
    }

    fn repaired(&self, what: &str) -> f64 {
        metrics::value(&self.server, &format!("wharf_scrub_repaired_total{{what=\"{what}\"}}"))
    }
}

#[test]
fn a_damaged_blob_is_repaired_from_an_adopted_store() {
    let old = TempDir::new().unwrap();
    let (sound, flipped) = (vec![1; 50_000], vec![3; 5_000_000]);
    lay_down(old.path(), &flipped);
    let stand = adopting(&old);
    let registry = stand.server.registry();
    push(&registry, "team/app", &[&sound, &flipped]);
    push(&registry, "team/other", &[&flipped]);
    let mut damaged = flipped.clone();
    damaged[1_234_567] ^= 1;
    stand.remove(&key_of(&flipped));
    stand.put(&key_of(&flipped), &damaged);
    wait_until("it is repaired", WITHIN, || stand.repaired("blob") == 1.0);
    for repository in ["team/app", "team/other"] {
        wait_until("it is served again", WITHIN, || {
            statuses(&registry, repository, &flipped) == [200, 200]
        });
        assert!(registry.blob(repository, &digest(&flipped)).unwrap().body == flipped);
    }
    assert!(stand.findings(&[]).is_empty());
    assert_eq!(stand.repaired_from("wrong_digest"), [Some("the adopted store".to_owned())]);
    let told = run(&mut stand.scrub(&["findings", "--all"]));
    assert!(told.contains("by a copy from the adopted store"), "{told}");
    // The damaged object and the copy are as they were.
    assert!(stand.read(&key_of(&flipped)) == damaged);
    let repaired = ObjectKey { incarnation: 1, ..key_of(&flipped) };
    assert!(stand.read(&repaired) == flipped);
    assert_eq!(stand.found("wrong_digest"), 1.0);
}

#[test]
fn a_lost_blob_is_repaired_from_another_object_of_it_in_a_bucket() {
    let stand = Stand::on_a_bucket(&[&HASTE[..], &[metrics::LISTEN]].concat());
    let registry = stand.server.registry();
    let blob = vec![5; 50_000];
    push(&registry, "team/app", &[&blob]);
    let at = |incarnation| ObjectKey { incarnation, ..key_of(&blob) };
    // As a push leaves it that did not end. It is found, and goes when the grace is over.
    stand.put(&at(7), &blob);
    wait_until("the other object is found", WITHIN, || stand.found("unexplained") == 1.0);
    stand.remove(&at(0));
    wait_until("the lost one is repaired", WITHIN, || stand.repaired("blob") == 1.0);
    wait_until("it is served again", WITHIN, || {
        registry.blob("team/app", &digest(&blob)).unwrap().status == 200
    });
    assert_eq!(stand.repaired_from("missing"), [Some(format!("the object {}", at(7)))]);
    let left = BTreeSet::from([(at(8).to_string(), blob.len() as u64)]);
    wait_until("the copy has gone", WITHIN, || stand.stored() == left);
    assert!(registry.blob("team/app", &digest(&blob)).unwrap().body == blob);
}

#[test]
fn a_damaged_manifest_is_repaired_by_a_copy_or_a_push() {
    let old = TempDir::new().unwrap();
    lay_down(old.path(), b"something");
    let stand = adopting(&old);
    let registry = stand.server.registry();
    let (copied, pushed) = (
        push(&registry, "team/copied", &[&[1; 100]]),
        push(&registry, "team/pushed", &[&[2; 100]]),
    );
    let file = rusqlite::Connection::open(stand.server.data().join("metadata.sqlite")).unwrap();
    for manifest in [&copied, &pushed] {
        let damaged = String::from_utf8_lossy(manifest).replace("\"size\":100", "\"size\":101");
        assert_ne!(damaged.as_bytes(), &manifest[..]);
        let sql = "UPDATE manifests SET payload = CAST(?1 AS BLOB) WHERE payload = ?2";
        assert_eq!(file.execute(sql, (damaged, manifest)).unwrap(), 1);
    }
    wait_until("both are found", WITHIN, || stand.found("damaged_manifest") == 2.0);
    for repository in ["team/copied", "team/pushed"] {
        assert_eq!(registry.manifest(repository, "v1").unwrap().status, 500, "{repository}");
    }
    lay_down(old.path(), &copied);
    wait_until("one is repaired from the copy", WITHIN, || stand.repaired("manifest") == 1.0);
    let reply = registry.push_manifest("team/pushed", "v1", &[], &pushed).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    for (repository, manifest) in [("team/copied", &copied), ("team/pushed", &pushed)] {
        assert!(registry.manifest(repository, "v1").unwrap().body == *manifest, "{repository}");
    }
    assert!(stand.findings(&[]).is_empty());
    let from: BTreeSet<_> =
        stand.repaired_from("damaged_manifest").into_iter().map(Option::unwrap).collect();
    let expected = ["a push", "the adopted store"].map(str::to_owned);
    assert_eq!(from, BTreeSet::from(expected));
    wait_until("the evidence is released", WITHIN, || {
        match attempt(&mut stand.scrub(&["release", &digest(&copied)])) {
            Ok(told) => told.contains("released"),
            Err(refusal) => {
                assert!(refusal.contains("garbage.grace"), "{refusal}");
                false
            }
        }
    });
}
