//! `wharf access`: grants, and why somebody may or may not do something.

use crate::desk::{Desk, shows};
use crate::house::House;

#[test]
fn roles_are_given_listed_and_taken_away() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    ada.done("team create team devs");
    let granted = ada.json("access grant team write --to team:devs --on team/app-*");
    assert_eq!((&granted["role"], &granted["pattern"]), (&"write".into(), &"team/app-*".into()));
    let said = ada.run(ada.command("access grant team read --to user:bob"), "");
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("", "user:bob has the role read on all of team\n")
    );
    shows!(ada.seen("access list team"), @r"
        ID  TO           ROLE      ON          BY        SINCE
        1   user:ada     admin     everything  system    2026-01-01T00:00:00Z
        2   user:reader  read      everything  system    2026-01-01T00:00:00Z
        3   user:writer  write     everything  system    2026-01-01T00:00:00Z
        4   user:keeper  maintain  everything  system    2026-01-01T00:00:00Z
        5   team:devs    write     team/app-*  user:ada  2026-01-01T00:00:00Z
        6   user:bob     read      everything  user:ada  2026-01-01T00:00:00Z
        ");
    assert_eq!(ada.json("access list team").as_array().unwrap().len(), 6);
    // The same again with another role takes its place.
    ada.done("access grant team maintain --to user:bob");
    assert_eq!(ada.done("access list team").lines().count(), 6);
    ada.done("access revoke team --to team:devs --on team/app-*");
    ada.done("access revoke team --to user:bob");
    assert_eq!(ada.done("access list team").lines().count(), 4);
    assert!(ada.refused("access revoke team --to user:bob").contains("404"));
    assert!(ada.refused("access grant team read --to user:nobody").contains("404"));
    // A robot is named within its namespace, or as it logs in.
    ada.done("robot create team+ci");
    assert_eq!(ada.json("access grant team read --to robot:team+ci")["subject"], "robot:ci");
    ada.done("access revoke team --to robot:ci");
    let elsewhere = ada.refused("access grant team read --to robot:ada+ci");
    assert!(elsewhere.starts_with("a robot of ada gets no role in team"), "{elsewhere}");
    let bob = Desk::of(&house, "bob");
    assert!(bob.refused("access list team").contains("404"));
    let reader = Desk::of(&house, "reader");
    assert!(reader.refused("access grant team admin --to user:reader").contains("403"));
    for line in [
        "access grant team owner --to user:bob",
        "access grant team read --to bob",
        "access grant team read",
    ] {
        assert_eq!(ada.run(ada.command(line), "").code, 2, "{line}");
    }
}

#[test]
fn a_decision_is_explained() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    ada.done("team create team devs");
    ada.done("team add team devs bob");
    ada.done("access grant team write --to team:devs --on team/pri*");
    shows!(ada.seen("access explain user:bob team/private"), @r"
        pull    allowed: grant 5 gives write on team/pri* to the team devs
        push    allowed: grant 5 gives write on team/pri* to the team devs
        delete  denied: no grant gives it
        ");
    shows!(ada.done("access explain user:bob push team/private"), @"push | allowed: grant 5 gives write on team/pri* to the team devs");
    shows!(ada.done("access explain anonymous team/public"), @r"
        pull | allowed: the repository is public
        push | denied: no grant gives it
        delete | denied: no grant gives it
        ");
    let explained = ada.json("access explain user:bob team/private");
    assert_eq!(
        (&explained["push"]["allowed"], &explained["delete"]["allowed"]),
        (&true.into(), &false.into())
    );
    // Oneself, where nobody is named.
    let bob = Desk::of(&house, "bob");
    assert!(bob.done("access explain push team/private").starts_with("push\tallowed"));
    assert!(bob.done("access explain team/private").contains("delete\tdenied"));
    assert!(bob.refused("access explain user:ada team/private").contains("403"));
    assert_eq!(
        ada.refused("access explain user:bob fly team/private"),
        "\"fly\" is none of pull, push and delete"
    );
    assert!(ada.refused("access explain nobody team/private").contains("nobody"));
}
