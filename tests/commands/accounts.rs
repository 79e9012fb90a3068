//! `wharf user`, `org`, `team`, `invite` and `sign-up`.

use std::collections::BTreeSet;

use serde_json::json;
use ureq::http::Method;

use crate::desk::{Desk, shows};
use crate::house::{House, PASSWORD, bearer};

#[test]
fn users_are_made_changed_and_deleted() {
    let house = House::start();
    let (root, host) = (Desk::of(&house, "root"), house.server.address());
    shows!(root.seen("user list --admins"), @r"
        NAME  E-MAIL  ADMIN  DISABLED  SINCE
        root  -       yes    no        2026-01-01T00:00:00Z
        ");
    let names = root.done("user list");
    let names: Vec<&str> = names.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["ada", "bob", "keeper", "reader", "root", "writer"]);
    let listed = root.json("user list");
    assert_eq!(listed.as_array().unwrap().len(), 6);

    // The password alone is on stdout, and it works.
    let said = root.run(root.command("user create eve --email eve@a.example"), "");
    assert_eq!(said.err, "user eve is made; the password is made up, and shown this once\n");
    let password = said.out.trim().to_owned();
    assert_eq!(said.out, format!("{password}\n"));
    let eve = Desk::new(&host);
    eve.typed("login HOST -u eve --password-stdin", &password);
    shows!(eve.seen("user show"), @r"
        name        eve
        e-mail      eve@a.example
        site admin  no
        disabled    no
        since       2026-01-01T00:00:00Z
        ");
    shows!(eve.done("user show eve"), @r"
        name | eve
        e-mail | eve@a.example
        site admin | no
        disabled | no
        since | 2026-01-01T00:00:00Z
        ");
    let made = root.typed("user create mia --admin --json --password-stdin", PASSWORD);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&made["name"], &made["site_admin"]), (&json!("mia"), &json!(true)));
    assert_eq!(root.json("user create sso --no-password")["name"], "sso");

    assert_eq!(root.json("user update eve --no-email")["email"], json!(null));
    assert_eq!(
        root.json("user update eve --email e@b.example --admin true")["email"],
        "e@b.example"
    );
    assert_eq!(root.json("user show eve")["site_admin"], true);
    assert_eq!(root.done("user disable eve"), "");
    assert_eq!(root.done("user list --disabled").split('\t').next(), Some("eve"));
    let refused = eve.refused("whoami");
    assert!(refused.ends_with("; log in again with `wharf login HOST`"), "{refused}");
    root.done("user enable eve");
    assert_eq!(eve.json("whoami")["principal"], "user:eve");
    root.done("user delete eve --yes");
    eve.refused("whoami");
}

#[test]
fn who_may_not_learns_why_and_nothing_else() {
    let house = House::start();
    let (root, bob) = (Desk::of(&house, "root"), Desk::of(&house, "bob"));
    for (desk, line, expected) in [
        (&bob, "user list", "HOST answered 403 Forbidden: "),
        (&bob, "user create eve --no-password", "HOST answered 403 Forbidden: "),
        (
            &bob,
            "user show ada",
            "HOST answered 404 Not Found: there is no user ada, or it is not yours to see",
        ),
        (&bob, "org show team", "HOST answered 404 Not Found: "),
        (&bob, "team list team", "HOST answered 404 Not Found: "),
        (&bob, "invite", "HOST answered 403 Forbidden: "),
        (&root, "user create ada --no-password", "HOST answered 409 Conflict: "),
        (&root, "org create team", "HOST answered 409 Conflict: "),
        (
            &root,
            "user update bob --email nonsense",
            "HOST answered 400 Bad Request: \"nonsense\" is no address",
        ),
        (&root, "user show nobody", "HOST answered 404 Not Found: "),
        (&root, "user delete nobody --yes", "HOST answered 404 Not Found: "),
        (
            &root,
            "user delete ada",
            "delete the user ada: there is no terminal to ask at, so give --yes where it is meant",
        ),
        (&root, "user create eve --json", "with --json give --password-stdin or --no-password: "),
    ] {
        let refused = desk.refused(line);
        assert!(refused.starts_with(expected), "{line}: {refused}");
    }
    let refused = root.refused("user update bob --email nonsense");
    assert!(!refused.contains("line 1"), "{refused}");
    assert!(refused.ends_with("(email)"), "the field is named: {refused}");
    let weak = root.run(root.command("user create eve --password-stdin"), "short");
    assert!(weak.err.contains("422") && weak.err.contains("password"), "{}", weak.err);
    // What is no name is not asked about.
    for line in ["user show A", "user", "user update bob", "org update team", "user create x y"] {
        assert_eq!(root.run(root.command(line), "").code, 2, "{line}");
    }
}

#[test]
fn a_password_is_changed_and_the_login_goes_on() {
    let house = House::start();
    let (root, bob) = (Desk::of(&house, "root"), Desk::of(&house, "bob"));
    let lines = format!("{PASSWORD}\na newer password than that\n");
    let wrong = bob.run(bob.command("user password --password-stdin"), "wrong\nanother password\n");
    assert!(wrong.err.contains("403") && wrong.err.contains("current password"), "{}", wrong.err);
    bob.typed("user password --password-stdin", &lines);
    assert_eq!(bob.json("whoami")["principal"], "user:bob");
    let one = bob.run(bob.command("user password --password-stdin"), "only one line\n");
    assert!(one.err.contains("must have two lines"), "{}", one.err);

    let made_up = root.done("user password bob");
    bob.refused("whoami");
    bob.typed("login HOST -u bob --password-stdin", &made_up);
    assert_eq!(bob.json("whoami")["principal"], "user:bob");
    root.typed("user password bob --password-stdin", PASSWORD);
    bob.typed("login HOST -u bob --password-stdin", PASSWORD);
}

#[test]
fn organizations_and_teams_are_made_and_deleted() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    shows!(ada.seen("org list"), @r"
        NAME  NEW REPOSITORIES  CREATED ON PUSH  SINCE
        team  private           yes              2026-01-01T00:00:00Z
        ");
    assert_eq!(ada.json("org create crew")["kind"], "organization");
    shows!(ada.done("org show crew"), @r"
        name | crew
        new repositories | private
        created on push | yes
        since | 2026-01-01T00:00:00Z
        ");
    let updated = ada.json("org update crew --visibility internal --create-on-push false");
    assert_eq!(
        (&updated["default_visibility"], &updated["create_on_push"]),
        (&json!("internal"), &json!(false))
    );
    assert_eq!(ada.json("org update ada --visibility public")["kind"], "user");

    ada.done("team create crew devs");
    ada.done("team create crew ops");
    shows!(ada.seen("team list crew"), @r"
        TEAM
        devs
        ops
        ");
    ada.done("team add crew devs bob");
    ada.done("team add crew devs ada");
    assert_eq!(ada.done("team members crew devs"), "ada\thand\nbob\thand\n");
    let members =
        ["ada", "bob"].map(|it| json!({ "name": it, "by_hand": true, "by_group": false }));
    assert_eq!(ada.json("team members crew devs"), json!(members));
    ada.done("team remove crew devs bob");
    assert_eq!(ada.done("team members crew devs"), "ada\thand\n");
    assert_eq!(ada.json("team members crew ops"), json!([]));
    ada.done("team delete crew ops");
    assert_eq!(ada.done("team list crew"), "devs\n");
    let refused = ada.refused("team add crew none bob");
    assert!(refused.contains("404"), "{refused}");

    let refused = ada.refused("org delete team --yes");
    assert!(refused.contains("409"), "it has repositories: {refused}");
    ada.done("org delete crew --yes");
    assert!(ada.refused("org show crew").contains("404"));
}

#[test]
fn who_was_invited_signs_up_once() {
    let house = House::start();
    let (root, eve) = (Desk::of(&house, "root"), Desk::new(&house.server.address()));
    let said = root.run(root.command("invite --days 2"), "");
    let code = said.out.trim();
    assert!(code.starts_with("wharf_inv_") && !said.err.contains(code), "{said:?}");
    let sign_up = |name: &str, code: &str| {
        let line =
            format!("sign-up {name} --registry HOST --invitation {code} --password-stdin --json");
        eve.run(eve.command(&line), PASSWORD)
    };
    assert!(sign_up("ada", code).err.contains("409"), "the name is taken");
    let made = sign_up("eve", code);
    assert!(made.out.contains("\"name\":\"eve\""), "{made:?}");
    assert!(made.err.ends_with("log in by `wharf login HOST -u eve`\n"), "{}", made.err);
    assert!(sign_up("mia", code).err.contains("403"), "it worked once");
    let none = eve.run(eve.command("sign-up mia --registry HOST --password-stdin"), PASSWORD);
    assert!(none.err.contains("needs an invitation"), "{}", none.err);
    eve.typed("login HOST -u eve --password-stdin", PASSWORD);
    assert!(root.json("invite")["secret"].as_str().unwrap().starts_with("wharf_inv_"));
}

#[test]
fn an_invitation_is_taken_back() {
    let house = House::start();
    let (root, eve) = (Desk::of(&house, "root"), Desk::new(&house.server.address()));
    let made = root.json("invite --days 2");
    let (id, code) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let listed = root.json("invite list");
    assert_eq!((&listed[0]["id"], &listed[0]["created_by"]), (&json!(id), &json!("user:root")));
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(root.done("invite list").starts_with(&format!("{id}\tuser:root\t")));
    root.done(&format!("invite revoke {id}"));
    assert_eq!(root.json("invite list"), json!([]));
    let refused = root.refused(&format!("invite revoke {id}"));
    assert!(refused.contains("404"), "{refused}");
    let line = format!("sign-up eve --registry HOST --invitation {code} --password-stdin");
    let late = eve.run(eve.command(&line), PASSWORD);
    assert!(late.err.contains("403"), "{}", late.err);
    let written = house.admin(&["audit", "--all"]);
    assert!(written.contains("\tinvitation.revoke\tsite\tdone\t"), "{written}");
}

#[test]
fn a_long_list_comes_page_by_page() {
    const TEAMS: usize = 500;
    let house = House::start();
    let root = Desk::of(&house, "root");
    // By a token, since a password is slow to check: as many as a page has, and as there may be.
    let token = bearer(&house.admin(&["token", "root", "--role", "admin"]));
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    let names: Vec<String> = (0..TEAMS).map(|number| format!("t{number:03}")).collect();
    for name in &names {
        let body = json!({ "name": name }).to_string().into_bytes();
        let target = "/api/v1/namespaces/root/teams";
        let made = house.registry.send(Method::POST, target, &headers, Some(&body)).unwrap();
        assert_eq!(made.status, 201, "{}", made.text());
    }
    assert_eq!(root.done("team list root").lines().collect::<Vec<_>>(), names);
    let listed = root.json("team list root");
    let listed = listed.as_array().unwrap().iter().map(|team| team["name"].as_str().unwrap());
    assert_eq!(listed.collect::<Vec<_>>(), names);
    let seen = root.seen("team list root");
    assert_eq!(seen.lines().next(), Some("TEAM"));
    assert_eq!(seen.lines().skip(1).collect::<Vec<_>>(), names, "one head, whatever the pages are");
    let all = root.json("audit --all");
    let all: BTreeSet<_> = all.as_array().unwrap().iter().map(|it| it["id"].as_i64()).collect();
    assert!(all.len() > TEAMS, "more than a page, each once: {}", all.len());
    assert_eq!(root.done("audit --action team.create --limit 5").lines().count(), 5);
}
