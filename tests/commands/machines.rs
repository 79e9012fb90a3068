//! `wharf robot` and `wharf token`: secrets of machines, and trust in place of them.

use serde_json::json;

use crate::desk::{Desk, shows};
use crate::house::House;

#[test]
fn a_robot_is_made_rotated_disabled_and_deleted() {
    let house = House::start();
    let (ada, host) = (Desk::of(&house, "ada"), house.server.address());
    let said = ada.run(ada.command("robot create team+ci --days 30"), "");
    let secret = said.out.trim().to_owned();
    assert!(secret.starts_with("wharf_bot_"), "{said:?}");
    assert_eq!(said.out, format!("{secret}\n"));
    assert_eq!(said.err, "robot team+ci is made; its secret is shown this once\n");
    let ci = Desk::new(&host);
    ci.typed("login HOST -u team+ci --password-stdin", &secret);
    assert_eq!(ci.json("whoami")["principal"], "robot:team+ci");

    ada.done("robot create team+deploy");
    shows!(ada.seen("robot list team"), @r"
        ROBOT        DISABLED  UNTIL                 BY        SINCE
        team+ci      no        2026-01-01T00:00:00Z  user:ada  2026-01-01T00:00:00Z
        team+deploy  no        for ever              user:ada  2026-01-01T00:00:00Z
        ");
    assert_eq!(ada.done("robot list team").lines().count(), 2);
    let shown = ada.json("robot show team+ci");
    assert!(shown.get("secret").is_none(), "{shown}");
    shows!(ada.done("robot show team+deploy"), @r"
        robot | team+deploy
        disabled | no
        until | for ever
        by | user:ada
        since | 2026-01-01T00:00:00Z
        ");

    let rotated = ada.json("robot rotate team+ci");
    ci.refused("whoami");
    ci.typed("login HOST --token --password-stdin", rotated["secret"].as_str().unwrap());
    assert_eq!(rotated["expires_at"], json!(null));
    assert!(ada.json("robot expire team+ci --days 3")["expires_at"].is_string());
    assert_eq!(ada.json("robot expire team+ci --never")["expires_at"], json!(null));
    ada.done("robot disable team+ci");
    ci.refused("whoami");
    ada.done("robot enable team+ci");
    assert_eq!(ci.json("whoami")["principal"], "robot:team+ci");
    ada.done("robot delete team+ci");
    ci.refused("whoami");
    assert!(ada.refused("robot show team+ci").contains("404"));
    assert!(ada.refused("robot create team+deploy").contains("409"));
    let bob = Desk::of(&house, "bob");
    assert!(bob.refused("robot create team+mine").contains("404"));
    assert!(ada.refused("robot create team+long --days 4000").contains("days from 1 to 3650"));
}

#[test]
fn trust_stands_for_a_robot_in_place_of_a_secret() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    ada.done("robot create team+ci");
    let line = "robot trust create team+ci --issuer https://ci.example --audience wharf --claim repository=team/app --claim ref=refs/heads/*";
    let rule = ada.json(line);
    assert_eq!(rule["conditions"], json!({ "repository": "team/app", "ref": "refs/heads/*" }));
    shows!(ada.seen("robot trust list team+ci"), @r"
        ID  ISSUER              AUDIENCE  CLAIMS
        1   https://ci.example  wharf     ref=refs/heads/* repository=team/app
        ");
    assert_eq!(ada.json("robot trust list team+ci").as_array().unwrap().len(), 1);
    ada.done(&format!("robot trust delete team+ci {}", rule["id"]));
    assert_eq!(ada.done("robot trust list team+ci"), "");
    assert!(ada.refused("robot trust list team+none").contains("404"));
    assert_eq!(
        ada.run(
            ada.command("robot trust create team+ci --issuer https://ci.example --audience a"),
            ""
        )
        .code,
        2
    );
}

#[test]
fn personal_tokens_are_ones_own() {
    let house = House::start();
    let (ada, host) = (Desk::of(&house, "ada"), house.server.address());
    let said = ada.run(ada.command("token create laptop --role read --on team/* --days 5"), "");
    let token = said.out.trim();
    assert!(token.starts_with("wharf_pat_") && !said.err.contains(token), "{said:?}");
    let laptop = Desk::new(&host);
    laptop.typed("login HOST --token --password-stdin", token);
    assert_eq!(laptop.json("whoami")["pattern"], "team/*");
    assert_eq!(laptop.done("ls HOST/team/private"), "v1\n");
    let listed = ada.json("token list");
    let id = listed[0]["id"].as_str().unwrap();
    let seen = ada.seen("token list").replace(id, "ID");
    assert!(
        seen.starts_with("ID ") && seen.contains("NAME") && seen.contains("LAST USED"),
        "{seen}"
    );
    assert!(seen.contains("laptop") && seen.contains("team/*"), "{seen}");
    // What a token may not do is what it was made for.
    assert!(laptop.refused("robot list team").contains("404"));
    ada.done(&format!("token delete {id}"));
    laptop.refused("whoami");
    assert_eq!(ada.json("token list"), json!([]));
    let root = Desk::of(&house, "root");
    assert!(ada.json("token create other")["secret"].is_string());
    assert_eq!(root.json("token list --user ada")[0]["name"], "other");
    let bob = Desk::of(&house, "bob");
    assert!(bob.refused("token list --user ada").contains("404"));
    assert!(bob.refused("token delete 0000000000000000").contains("404"));
}
