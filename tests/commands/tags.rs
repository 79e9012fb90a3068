//! `wharf tag`, and images as of a time.

use serde_json::json;
use tempfile::TempDir;

use crate::desk::{Desk, shows};
use crate::house::{House, bearer, content};
use crate::support::registry::{digest, image_manifest};

/// Pushes an image with this mark under a tag of `team/private`, and tells its digest.
fn push(house: &House, tag: &str, mark: &str) -> String {
    let blob = content("team/private");
    let manifest = image_manifest(&[(digest(&blob), blob.len())], mark);
    let token = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let headers = [("Authorization", token.as_str())];
    let pushed = house.registry.push_manifest("team/private", tag, &headers, &manifest).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    digest(&manifest)
}

#[test]
fn tags_are_listed_by_version() {
    let house = House::start();
    for tag in ["v1.10.0", "v1.9.0", "v1.10.0-rc.1", "latest"] {
        push(&house, tag, "one");
    }
    let reader = Desk::of(&house, "reader");
    let names = |line: &str| {
        let out = reader.done(line);
        out.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ["v1.10.0", "v1.10.0-rc.1", "v1.9.0", "v1", "latest"];
    assert_eq!(names("tag list team/private --sort version"), all);
    assert_eq!(names("tag list team/private --sort version --pre-releases only"), [all[1]]);
    assert_eq!(names("tag ls team/private"), ["latest", "v1", "v1.10.0", "v1.10.0-rc.1", "v1.9.0"]);
    assert_eq!(names("tag list team/private --as-of 2020-01-01T00:00:00Z"), [""; 0]);
    let json = reader.json("tag list team/private --sort version");
    assert_eq!((&json[0]["name"], &json[0]["state"]), (&json!("v1.10.0"), &json!("held")));
    assert!(Desk::of(&house, "bob").refused("tag list team/private").contains("404"));
}

#[test]
fn a_tag_is_gone_back_in() {
    let house = House::start();
    let (reader, writer) = (Desk::of(&house, "reader"), Desk::of(&house, "writer"));
    let (one, two) = (push(&house, "t", "one"), push(&house, "t", "two"));
    let shown = |text: String| text.replace(&one, "ONE").replace(&two, "TWO");
    shows!(shown(reader.done("tag history team/private:t")), @r"
        2026-01-01T00:00:00Z | t | 2 | ONE | TWO | user:writer | pushed
        2026-01-01T00:00:00Z | t | 1 | - | ONE | user:writer | pushed
        ");
    assert!(reader.refused("tag rollback team/private:t").contains("403"));
    let said = writer.run(writer.command("tag rollback team/private:t"), "");
    assert_eq!(shown(said.err), "team/private:t stands at ONE\n");
    shows!(shown(reader.done("tag history team/private:t --limit 1")), @"2026-01-01T00:00:00Z | t | 3 | TWO | ONE | user:writer | rolled-back 1");
    let table = reader.seen("tag history team/private:t --limit 1");
    let heads: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["AT", "TAG", "VERSION", "FROM", "TO", "BY", "REASON"]);
    assert_eq!(reader.json("tag show team/private:t")["digest"], one.as_str());
    let history = reader.json("tag history team/private:t");
    let made = history[2]["at"].as_str().unwrap();
    let moved = history[1]["at"].as_str().unwrap();
    assert_eq!(history.as_array().unwrap().len(), 3);
    assert_eq!(reader.json("tag history team/private").as_array().unwrap().len(), 4);
    let before = format!("tag history team/private --until {moved} --since {made}");
    assert_eq!(reader.json(&before).as_array().unwrap().len(), 1);
    for (to, digest) in [("2", &two), (made, &one), (two.as_str(), &two), ("1", &one)] {
        let now = writer.json(&format!("tag rollback team/private:t --to {to}"));
        assert_eq!(now["digest"], digest.as_str(), "{to}");
    }
    let stale = writer.refused("tag rollback team/private:t --expect 3");
    assert!(stale.contains("412") && stale.contains("version 7"), "{stale}");
    assert!(writer.refused("tag rollback team/private:t --to 99").contains("no version 99"));
    assert_eq!(writer.run(writer.command("tag rollback team/private:t --to sometime"), "").code, 2);
    assert!(writer.refused("tag rollback team/private").contains("names no tag"));
}

#[test]
fn an_image_is_pulled_and_copied_as_of_a_time() {
    let house = House::start();
    let (reader, keeper) = (Desk::of(&house, "reader"), Desk::of(&house, "keeper"));
    let (one, two) = (push(&house, "t", "one"), push(&house, "t", "two"));
    let made = reader.json("tag history team/private:t")[1]["at"].as_str().unwrap().to_owned();
    let alone = reader.done(&format!("tag show team/private:t --as-of {made} --digest"));
    assert_eq!(alone, format!("team/private@{one}\n"));
    let folder = TempDir::new().unwrap();
    let layout = |name: &str| folder.path().join(name).display().to_string();
    let pulled = |line: &str| {
        let out = reader.done(line);
        out.trim().rsplit('@').next().unwrap().to_owned()
    };
    assert_eq!(pulled(&format!("pull HOST/team/private:t {}", layout("now"))), two);
    let then = format!("pull HOST/team/private:t {} --as-of {made}", layout("then"));
    assert_eq!(pulled(&then), one);
    let copied =
        keeper.done(&format!("copy HOST/team/private:t HOST/team/private:old --as-of {made}"));
    assert_eq!(copied.trim().rsplit('@').next().unwrap(), one);
    assert_eq!(keeper.json("tag show team/private:old")["digest"], one.as_str());
    let early = format!("pull HOST/team/private:t {} --as-of 2020-01-01T00:00:00Z", layout("x"));
    assert!(reader.refused(&early).contains("t as of 2020-01-01T00:00:00Z"));
    let fixed = format!("pull HOST/team/private@{one} {} --as-of {made}", layout("x"));
    assert!(reader.refused(&fixed).contains("--as-of is for a tag"));
    keeper.done(&format!("repo delete-manifest team/private {one} --yes"));
    let gone = reader.refused(&format!("pull HOST/team/private:t {} --as-of {made}", layout("x")));
    assert!(gone.contains("410") && gone.contains("does not hold the manifest"), "{gone}");
    let gone = reader.refused(&format!("tag show team/private:t --as-of {made} --digest"));
    assert!(gone.contains("not held any more"), "{gone}");
}

#[test]
fn a_manifest_is_pinned_and_unpinned() {
    let house = House::start();
    let (writer, keeper) = (Desk::of(&house, "writer"), Desk::of(&house, "keeper"));
    let one = push(&house, "t", "one");
    push(&house, "t", "two");
    let made = writer.json("tag history team/private:t")[1]["at"].as_str().unwrap().to_owned();
    let pinned = writer.json(&format!("tag pin team/private:t --as-of {made} --name release"));
    assert_eq!((&pinned["name"], &pinned["digest"]), (&json!("release"), &json!(one)));
    writer.done(&format!("tag pin team/private@{one} --until 9000-01-01T00:00:00Z"));
    let by_digest = format!("sha256-{}", &one["sha256:".len()..][..12]);
    let pins =
        writer.done("tag pins team/private").replace(&one, "ONE").replace(&by_digest, "SHORT");
    shows!(pins, @r"
        release | ONE | user:writer | 2026-01-01T00:00:00Z | -
        SHORT | ONE | user:writer | 2026-01-01T00:00:00Z | 2026-01-01T00:00:00Z
        ");
    let refused = keeper.refused(&format!("repo delete-manifest team/private {one} --yes"));
    assert!(refused.contains("the pin release keeps the manifest"), "{refused}");
    assert!(writer.refused("tag unpin team/private release").contains("403"));
    for name in ["release", &by_digest] {
        keeper.done(&format!("tag unpin team/private {name}"));
    }
    assert!(keeper.refused("tag unpin team/private release").contains("404"));
    keeper.done(&format!("repo delete-manifest team/private {one} --yes"));
    assert!(writer.refused("tag pin team/private").contains("names nothing to pin"));
}

#[test]
fn what_was_deleted_comes_back() {
    let house = House::start();
    let (writer, keeper) = (Desk::of(&house, "writer"), Desk::of(&house, "keeper"));
    let one = push(&house, "t", "one");
    push(&house, "u", "one");
    let shown = |text: String| text.replace(&one, "ONE");
    keeper.done(&format!("repo delete-manifest team/private {one} --yes"));
    shows!(
        shown(writer.done("repo deleted team/private")),
        @"ONE | user:keeper | 2026-01-01T00:00:00Z | 2026-01-01T00:00:00Z | t,u"
    );
    let said = writer.run(writer.command(&format!("restore team/private@{one}")), "");
    assert_eq!(shown(said.err), "team/private@ONE is back as t, u\n");
    assert_eq!(writer.done("repo deleted team/private"), "");
    keeper.done("repo delete-tag team/private t --yes");
    let back = writer.json("restore team/private:t");
    assert_eq!(back, json!({ "digest": one, "tags": ["t"], "manifests": 0 }));
    let stands = writer.refused("restore team/private:t");
    assert!(stands.contains("409") && stands.contains("the tag t stands at"), "{stands}");
    assert!(writer.refused("restore team/private:never").contains("404"));
    assert!(writer.refused("restore team/private").contains("write REPO:TAG or REPO@DIGEST"));
    let reader = Desk::of(&house, "reader");
    assert!(reader.refused("restore team/private:t").contains("403"));
    assert!(reader.refused("repo deleted team/private").contains("403"));
}
