//! That whatever changes in the life of tags, manifests, blobs and repositories is told: by an event, and by a line in the audit log.

use bytes::Bytes;
use wharf_core::blobs::ObjectKey;
use wharf_core::immutability::PolicyScope;
use wharf_core::metadata::{
    AccountChange, Change, ChangeImmutabilityPolicy, Damage, ManifestRules, NewImmutabilityPolicy,
    PinTarget, Precondition, Quota, RecordAdoption, RemoveBlob, RemoveImmutabilityPolicy,
    RemoveRetention, RenameRepository, RepairManifest, RollBackTo, SetWrites, StartAdoption,
    StartedAdoption, UnpinManifest,
};
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_oci::Reference;

use super::deleted_repositories::{deletion, restoration};
use super::garbage::GRACE;
use super::immutability::{organization, releases};
use super::pins::pin;
use super::retention::{drop_of, in_force};
use super::rollback::back;
use super::samples::{blob, commit, image, name};
use super::stand::Stand;
use super::usage::limit_repository;

/// A walk over changes: what was told since the last one.
struct Walk<'a> {
    stand: &'a Stand,
    events: usize,
    records: usize,
    told: Vec<String>,
}

impl Walk<'_> {
    /// Passes over what was told of a preparation.
    async fn pass(&mut self) {
        self.since().await;
    }

    /// `what: kinds of events; actions in the audit log`
    async fn note(&mut self, what: &str) {
        let in_words = |mut told: Vec<String>| {
            told.dedup();
            if told.is_empty() { "nothing".to_owned() } else { told.join(" ") }
        };
        let (events, records) = self.since().await;
        self.told.push(format!("{what}: {}; {}", in_words(events), in_words(records)));
    }

    async fn since(&mut self) -> (Vec<String>, Vec<String>) {
        let events = self.stand.rows("SELECT kind FROM events ORDER BY id", &[]).await;
        let records = self.stand.rows("SELECT action FROM audit_log ORDER BY id", &[]).await;
        let new = (events[self.events..].to_vec(), records[self.records..].to_vec());
        (self.events, self.records) = (events.len(), records.len());
        new
    }

    async fn change(&mut self, what: &str, change: impl Into<AccountChange>) {
        assert_eq!(self.stand.change(change).await, Change::Done, "{what}");
        self.note(what).await;
    }
}

/// By both; but a sweep is an event alone, as nobody decides over blobs that nothing needs, and so is a finding, which changes nothing. A preview
/// of a policy is in the audit log alone: nobody else sees a change.
pub async fn each_change_of_the_lifecycle_is_told(stand: &Stand) {
    let mut walk = Walk { stand, events: 0, records: 0, told: Vec::new() };
    tags_and_manifests(&mut walk).await;
    rules(&mut walk).await;
    garbage(&mut walk).await;
    integrity(&mut walk).await;
    adoption(&mut walk).await;
    repositories(&mut walk).await;
    let expected = [
        "a push: manifest.pushed tag.created; manifest.push",
        "a push that moves a tag: manifest.pushed tag.moved; manifest.push",
        "a tag goes back: tag.moved; tag.rollback",
        "a tag is deleted: tag.deleted; tag.delete",
        "a tag is brought back: tag.created; manifest.push manifest.restore",
        "a manifest is deleted: manifest.deleted; manifest.delete",
        "a manifest is brought back: manifest.pushed; manifest.push manifest.restore",
        "a pin: manifest.pinned; manifest.pin",
        "an end of a pin: manifest.unpinned; manifest.unpin",
        "a blob is deleted: blob.deleted; blob.delete",
        "a policy is made: immutability.created; immutability.create",
        "a policy is changed: immutability.updated; immutability.update",
        "a policy is removed: immutability.deleted; immutability.delete",
        "a policy of retention is set, previewed and enabled: retention.set retention.enabled; retention.set retention.preview retention.enable",
        "it drops a tag: tag.deleted; tag.delete",
        "it is removed: retention.removed; retention.remove",
        "a quota is set: quota.set; repository.quota",
        "the repository a is draining: repository.draining; writes.set",
        "the repository a is read-only: repository.read_only; writes.set",
        "the repository a is writable: repository.writable; writes.set",
        "the registry is draining: registry.draining; writes.set",
        "the registry is read-only: registry.read_only; writes.set",
        "the registry is writable: registry.writable; writes.set",
        "manifests are collected: manifest.deleted; manifest.delete",
        "a repository is swept: blobs.swept; nothing",
        "a blob is unreadable: blob.damaged; nothing",
        "a blob is damaged: blob.damaged; blob.quarantine",
        "a blob is sound again: blob.sound; blob.restore",
        "a blob is repaired: blob.repaired; blob.repair",
        "a manifest is damaged: manifest.damaged; nothing",
        "a manifest is repaired: manifest.repaired; manifest.repair",
        "evidence of a damaged blob is released: blob.released; blob.release",
        "evidence of a damaged manifest is released: manifest.released; manifest.release",
        "an object is unexplained: object.unexplained; nothing",
        "a reference is broken: manifest.broken; nothing",
        "an adoption begins: adoption.started; adoption.start",
        "an adoption is stopped: adoption.stopped; adoption.stop",
        "an adoption begins: adoption.started; adoption.start",
        "an adoption is finished: adoption.finished; adoption.finish",
        "another name: repository.renamed; repository.rename",
        "a repository is deleted: repository.deleted; repository.delete",
        "a repository is brought back: repository.restored; repository.restore",
        "a repository is purged: repository.purged; repository.purge",
    ];
    assert_eq!(walk.told, expected);
}

async fn tags_and_manifests(walk: &mut Walk<'_>) {
    let stand = walk.stand;
    let one = stand.push("a", "one", &["t"]).await;
    walk.note("a push").await;
    let two = stand.push("a", "two", &["t"]).await;
    walk.note("a push that moves a tag").await;
    stand.metadata.roll_back_tag(back(RollBackTo::Previous)).await.unwrap();
    walk.note("a tag goes back").await;
    stand.delete_tag("a", "t", Precondition::None).await;
    walk.note("a tag is deleted").await;
    stand.restore("a", Reference::Tag("t".parse().unwrap())).await;
    walk.note("a tag is brought back").await;
    stand.remove("a", two).await;
    walk.note("a manifest is deleted").await;
    stand.restore("a", two).await;
    walk.note("a manifest is brought back").await;
    stand.metadata.pin_manifest(pin("keep", PinTarget::Digest(one), None)).await.unwrap();
    walk.note("a pin").await;
    let unpin =
        UnpinManifest { repository: name("a"), name: "keep".parse().unwrap(), by: "bob".into() };
    assert!(stand.metadata.unpin_manifest(unpin).await.unwrap());
    walk.note("an end of a pin").await;
    stand.hold("a", blob("loose")).await;
    let removal = RemoveBlob { repository: name("a"), digest: blob("loose"), by: "bob".into() };
    stand.metadata.remove_blob(removal).await.unwrap();
    walk.note("a blob is deleted").await;
}

async fn rules(walk: &mut Walk<'_>) {
    let stand = walk.stand;
    let of = || PolicyScope::Repository(name("a"));
    let policy = || releases(GRACE);
    walk.change("a policy is made", NewImmutabilityPolicy { of: of(), policy: policy() }).await;
    let change = ChangeImmutabilityPolicy { of: of(), policy: policy(), expected: None };
    walk.change("a policy is changed", change).await;
    let removal = RemoveImmutabilityPolicy { of: of(), name: policy().name, expected: None };
    walk.change("a policy is removed", removal).await;
    in_force(stand).await;
    walk.note("a policy of retention is set, previewed and enabled").await;
    stand.push("a", "three", &["dropped"]).await;
    walk.pass().await;
    stand.retention.drop_tag(drop_of(stand, "dropped").await).await.unwrap();
    walk.note("it drops a tag").await;
    walk.change("it is removed", RemoveRetention { repository: name("a") }).await;
    organization(stand).await;
    stand.push("team/app", "one", &[]).await;
    walk.pass().await;
    let quota = Quota { bytes: Some(1 << 30), ..Quota::default() };
    assert_eq!(limit_repository(stand, "team/app", quota).await, Change::Done);
    walk.note("a quota is set").await;
    for scope in [WriteScope::Repository(name("a")), WriteScope::All] {
        for mode in [WriteMode::Draining, WriteMode::ReadOnly, WriteMode::Writable] {
            let what = format!("{scope} is {mode}");
            let set = SetWrites { scope: scope.clone(), mode, reason: None };
            walk.change(&what, set).await;
        }
    }
}

async fn garbage(walk: &mut Walk<'_>) {
    let stand = walk.stand;
    stand.push("a", "untagged", &[]).await;
    stand.clock.advance(GRACE);
    walk.pass().await;
    let rules = ManifestRules { grace: GRACE, untagged_after: Some(GRACE) };
    stand.garbage.collect_manifests(None, rules, 1000).await.unwrap();
    walk.note("manifests are collected").await;
    stand.clock.advance(GRACE);
    stand.garbage.empty_trash(rules, 100).await.unwrap();
    walk.pass().await;
    stand.sweep().await;
    walk.note("a repository is swept").await;
}

async fn integrity(walk: &mut Walk<'_>) {
    let stand = walk.stand;
    let key = stand.hold("a", blob("broken")).await;
    walk.pass().await;
    let integrity = &stand.integrity;
    integrity.note_unreadable(key, "a bad sector".into()).await.unwrap();
    walk.note("a blob is unreadable").await;
    integrity.quarantine(key, Damage::Missing).await.unwrap();
    walk.note("a blob is damaged").await;
    integrity.note_sound(key).await.unwrap();
    walk.note("a blob is sound again").await;
    integrity.quarantine(key, Damage::Missing).await.unwrap();
    let repair = stand.repairing(key).await;
    walk.pass().await;
    assert!(integrity.finish_repair(repair).await.unwrap());
    walk.note("a blob is repaired").await;
    let held = stand.push("a", "held", &["held"]).await;
    stand.damage(held).await;
    walk.pass().await;
    integrity.note_damaged_manifest(held).await.unwrap();
    walk.note("a manifest is damaged").await;
    let payload: Bytes = commit("a", &image(&[blob("held")]), &[]).payload;
    let repair = RepairManifest { digest: held, payload, source: "a copy".into() };
    assert!(integrity.repair_manifest(repair).await.unwrap());
    walk.note("a manifest is repaired").await;
    stand.clock.advance(GRACE);
    for (what, digest) in [("blob", key.digest), ("manifest", held)] {
        integrity.release(digest, "user:ada".into(), GRACE).await.unwrap();
        walk.note(&format!("evidence of a damaged {what} is released")).await;
    }
    let unknown = ObjectKey::canonical(blob("unknown"));
    integrity.mark_unexplained(vec![unknown]).await.unwrap();
    walk.note("an object is unexplained").await;
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[blob("held")]).await;
    integrity.check_references(None, 1000).await.unwrap();
    walk.note("a reference is broken").await;
}

async fn adoption(walk: &mut Walk<'_>) {
    let adoptions = &walk.stand.adoptions;
    for end in ["stopped", "finished"] {
        let (source, by) = ("file:///old".to_owned(), "user:ada".into());
        let start = StartAdoption { source, repositories: None, by };
        let started = adoptions.start_adoption(start).await.unwrap();
        let StartedAdoption::Started(begun) = started else { panic!("{started:?}") };
        walk.note("an adoption begins").await;
        if end == "stopped" {
            assert!(adoptions.stop_adoption("user:ada".into()).await.unwrap());
        } else {
            let (id, version, progress) = (begun.id, begun.version, begun.progress);
            for finished in [false, true] {
                let version = version + i64::from(finished);
                let progress = progress.clone();
                let findings = Vec::new();
                let record = RecordAdoption { id, version, progress, findings, finished };
                assert!(adoptions.record_adoption(record).await.unwrap().is_some());
            }
        }
        walk.note(&format!("an adoption is {end}")).await;
    }
}

async fn repositories(walk: &mut Walk<'_>) {
    let stand = walk.stand;
    walk.change("another name", RenameRepository { from: name("a"), to: name("team/a") }).await;
    stand.metadata.delete_repository(deletion("team/a")).await.unwrap();
    walk.note("a repository is deleted").await;
    stand.metadata.restore_repository(restoration("team/a")).await.unwrap();
    walk.note("a repository is brought back").await;
    stand.throw_away_all("team/a").await;
    walk.pass().await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.purge(1000).await.1, 1);
    walk.note("a repository is purged").await;
}
