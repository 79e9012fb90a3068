//! `wharf repo`.

use serde_json::json;
use ureq::http::Method;

use crate::desk::{Desk, shows};
use crate::house::{House, bearer, manifest};
use crate::support::program::wait_until;
use crate::support::registry::digest;

#[test]
fn repositories_are_listed_shown_and_changed() {
    let house = House::start();
    let (ada, bob) = (Desk::of(&house, "ada"), Desk::of(&house, "bob"));
    shows!(ada.seen("repo list"), @r"
        NAME           VISIBILITY  SINCE
        team/internal  internal    2026-01-01T00:00:00Z
        team/private   private     2026-01-01T00:00:00Z
        team/public    public      2026-01-01T00:00:00Z
        ");
    assert_eq!(bob.done("repo list").lines().count(), 2, "the private one is not bob's to see");
    assert_eq!(ada.json("repo list team --visibility private").as_array().unwrap().len(), 1);
    assert_eq!(ada.json("repo list bob"), json!([]));
    shows!(ada.done("repo show team/private"), @r"
        name | team/private
        visibility | private
        since | 2026-01-01T00:00:00Z
        ");
    assert!(bob.refused("repo show team/private").contains("404"));
    assert_eq!(ada.json("repo visibility team/private internal")["visibility"], "internal");
    assert_eq!(bob.json("repo show team/private")["visibility"], "internal");
    assert!(bob.refused("repo visibility team/private public").contains("403"));
    assert_eq!(ada.json("repo rename team/private team/renamed")["name"], "team/renamed");
    assert_eq!(ada.done("repo tags team/renamed").split('\t').next(), Some("v1"));
    assert!(ada.refused("repo rename team/renamed team/public").contains("409"));
    assert_eq!(ada.run(ada.command("repo visibility team/public secret"), "").code, 2);
}

#[test]
fn a_repository_is_deleted_and_brought_back() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    let refused = ada.refused("repo delete team/private");
    let asks = "delete team/private with all its manifests and tags: there is no terminal";
    assert!(refused.starts_with(asks), "{refused}");
    assert!(Desk::of(&house, "keeper").refused("repo delete team/private --yes").contains("403"));
    let said = ada.run(ada.command("repo delete team/private --yes"), "");
    assert_eq!(
        said.err,
        "team/private is deleted; `wharf restore team/private --repository` brings it back\n"
    );
    assert!(ada.refused("repo show team/private").contains("404"));
    let found = ada.json("repo deleted --namespace team");
    let number = found[0]["number"].to_string();
    shows!(
        ada.done("repo deleted --namespace team").replace(&format!("\t{number}\t"), "\tN\t"),
        @"team/private | N | user:ada | 2026-01-01T00:00:00Z | 2026-01-01T00:00:00Z"
    );
    for wrong in ["repo deleted", "repo deleted team/private --namespace team"] {
        assert_eq!(ada.run(ada.command(wrong), "").code, 2, "{wrong}");
    }
    assert_eq!(ada.run(ada.command("restore team/private --as team/x"), "").code, 2);
    let tagged = ada.refused("restore team/private:v1 --repository");
    assert!(tagged.contains("with --repository, write REPO"), "{tagged}");
    let command = format!("restore team/private --repository --as team/back --number {number}");
    let said = ada.run(ada.command(&command), "");
    assert_eq!(said.err, "team/private is back as team/back\n");
    assert_eq!(ada.done("repo tags team/back").split('\t').next(), Some("v1"));
    ada.done("repo delete team/back --yes");
    assert_eq!(ada.json("restore team/back --repository")["name"], "team/back");
    let none = ada.refused("restore team/back --repository");
    assert!(none.contains("404") && none.contains("no repository team/back was deleted"), "{none}");
}

#[test]
fn tags_and_manifests_are_listed_and_deleted() {
    let house = House::start();
    let keeper = Desk::of(&house, "keeper");
    let named = digest(&manifest("team/private"));
    shows!(keeper.seen("repo tags team/private").replace(&named, "DIGEST"), @r"
        TAG  DIGEST                                                                   BY        AT
        v1   DIGEST  user:ada  2026-01-01T00:00:00Z
        ");
    shows!(keeper.done("repo manifests team/private").replace(&named, "DIGEST"), @"DIGEST | 285 | application/vnd.oci.image.manifest.v1+json | application/vnd.oci.image.config.v1+json | user:ada | 2026-01-01T00:00:00Z");
    assert_eq!(keeper.json("repo tags team/private")[0]["digest"], named.as_str());
    assert_eq!(keeper.json("repo manifests team/private")[0]["digest"], named.as_str());
    let refused = keeper.refused("repo delete-tag team/private v1");
    assert!(
        refused.starts_with("delete the tag team/private:v1: there is no terminal"),
        "{refused}"
    );
    let writer = Desk::of(&house, "writer");
    assert!(writer.refused("repo delete-tag team/private v1 --yes").contains("403"));
    keeper.done("repo delete-tag team/private v1 --yes");
    assert_eq!(keeper.json("repo tags team/private"), json!([]));
    assert!(keeper.refused("repo delete-tag team/private v1 --yes").contains("404"));
    keeper.done(&format!("repo delete-manifest team/private {named} --yes"));
    assert_eq!(keeper.json("repo manifests team/private"), json!([]));
}

#[test]
fn pulls_are_counted() {
    let house = House::start_with(&[("WHARF_COUNTS_FLUSH", "100ms")]);
    let ada = Desk::of(&house, "ada");
    let token = bearer(&house.token("reader", "repository:team/public:pull"));
    for _ in 0..3 {
        assert_eq!(house.ask(Method::GET, "/v2/team/public/manifests/v1", &token).status, 200);
    }
    let sum = |counts: serde_json::Value| -> u64 {
        counts.as_array().unwrap().iter().map(|at| at["count"].as_u64().unwrap()).sum()
    };
    wait_until("the pulls are counted", std::time::Duration::from_secs(30), || {
        sum(ada.json("repo counts team/public")) == 3
    });
    assert_eq!(sum(ada.json("repo counts team/public --by hour --days 1")), 3);
    assert_eq!(sum(ada.json("repo counts team/public --kind push")), 1);
    assert_eq!(sum(ada.json("repo counts team/private")), 0);
    let top = ada.done("repo counts team/public --top 5");
    assert_eq!(top, format!("{}\t3\n", digest(&manifest("team/public"))));
    shows!(ada.seen("repo top team"), @r"
        REPOSITORY   COUNT
        team/public  3
        ");
    shows!(ada.done("repo top"), @"team/public | 3");
    assert!(Desk::of(&house, "bob").refused("repo counts team/private").contains("404"));
}
