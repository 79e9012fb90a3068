//! `wharf login`, `logout` and `whoami`: in Docker's configuration and by credential helpers.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::desk::{Desk, shows};
use crate::helper::Helper;
use crate::house::{House, PASSWORD};
use crate::support::server::Server;

#[test]
fn a_login_is_kept_where_docker_finds_it_and_forgotten_again() {
    let house = House::start();
    let desk = Desk::new(&house.server.address());
    let said = desk.run(desk.command("login HOST -u ada --password-stdin"), PASSWORD);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(said.err.starts_with("logged in to HOST as ada\n"), "{}", said.err);
    let host = house.server.address();
    let auth = &desk.configured()["auths"][&host]["auth"];
    assert_eq!(crate::house::basic("ada", PASSWORD), format!("Basic {}", auth.as_str().unwrap()));
    let mode = desk.config().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    shows!(desk.seen("whoami"), @r"
        registry    HOST
        principal   user:ada
        site admin  no
        at most     admin
        on          everything
        ");
    shows!(desk.done("whoami"), @r"
        registry | HOST
        principal | user:ada
        site admin | no
        at most | admin
        on | everything
        ");
    let expected =
        json!({ "principal": "user:ada", "site_admin": false, "role": "admin", "pattern": null });
    assert_eq!(desk.json("whoami"), expected);
    // The commands of images log in by it too.
    assert_eq!(desk.done("ls HOST/team/private"), "v1\n");

    let said = desk.run(desk.command("logout"), "");
    assert_eq!((said.code, said.err.as_str()), (0, "logged out of HOST\n"));
    assert_eq!(desk.configured(), json!({ "auths": {} }));
    let said = desk.run(desk.command("logout HOST"), "");
    assert_eq!((said.code, said.err.as_str()), (0, "you were not logged in to HOST\n"));
    let refused = desk.refused("whoami --registry HOST");
    assert!(refused.ends_with("; log in with `wharf login HOST`"), "{refused}");
}

#[test]
fn what_docker_keeps_is_used_and_left_as_it_was() {
    let house = House::start();
    let desk = Desk::of(&house, "writer");
    let mut config = desk.configured();
    config["detachKeys"] = json!("ctrl-e,e");
    config["auths"]["other.example"] = json!({ "auth": "eDp5" });
    desk.configure(&config);
    assert_eq!(desk.json("whoami --registry HOST")["principal"], "user:writer");
    desk.typed("login HOST -u reader --password-stdin", PASSWORD);
    let mut after = desk.configured();
    assert_eq!(desk.json("whoami --registry HOST")["principal"], "user:reader");
    after["auths"][&house.server.address()] = config["auths"][&house.server.address()].clone();
    assert_eq!(after, config);
}

#[test]
fn which_registry_is_meant_is_said_or_evident() {
    let (house, other) = (House::start(), House::start());
    let desk = Desk::of(&house, "ada");
    assert_eq!(desk.json("whoami")["principal"], "user:ada");
    let also = other.server.address();
    desk.typed(&format!("login {also} -u bob --password-stdin"), PASSWORD);
    let refused = desk.refused("whoami").replace(&also, "OTHER");
    assert!(refused.starts_with("you are logged in to "), "{refused}");
    assert!(refused.contains("HOST") && refused.contains("OTHER"), "{refused}");
    assert!(
        refused.ends_with(": say which is meant by --registry HOST or WHARF_REGISTRY"),
        "{refused}"
    );
    assert_eq!(desk.json("whoami --registry HOST")["principal"], "user:ada");
    let mut command = desk.command("whoami --json");
    command.env("WHARF_REGISTRY", &also);
    assert!(desk.run(command, "").out.contains("user:bob"));
    // A flag is nearer than the environment.
    let mut command = desk.command("whoami --json --registry HOST");
    command.env("WHARF_REGISTRY", &also);
    assert!(desk.run(command, "").out.contains("user:ada"));
    let mut command = desk.command("whoami");
    command.env("WHARF_REGISTRY", "https://a.example");
    assert!(desk.run(command, "").err.starts_with("wharf: WHARF_REGISTRY: "));
    let nobody = Desk::new(&also);
    let refused = nobody.refused("whoami");
    assert!(refused.starts_with("you are logged in to no registry: `wharf login"), "{refused}");
}

#[test]
fn nothing_is_kept_that_the_registry_refuses() {
    let house = House::start();
    let desk = Desk::new(&house.server.address());
    for (line, input, reason) in [
        ("login HOST -u ada --password-stdin", "wrong", "the name or the secret is wrong"),
        ("login HOST -u nobody --password-stdin", PASSWORD, "the name or the secret is wrong"),
        ("login HOST --token --password-stdin", "wharf_pat_x", "the name or the secret is wrong"),
        (
            "login HOST -u ada --password-stdin",
            "",
            "the password cannot be read: the standard input is empty",
        ),
        (
            "login HOST --password-stdin",
            PASSWORD,
            "say who you are by --username NAME, or give a token by --token",
        ),
        (
            "login HOST -u a:b --password-stdin",
            PASSWORD,
            "\"a:b\" is no name: it must not be empty, and has no colon",
        ),
        ("login HOST -u ada", "", "there is no terminal to ask for it at: give --password-stdin"),
    ] {
        let said = desk.run(desk.command(line), input);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{line}: {}", said.err);
        assert!(said.err.contains(reason), "{line}: {}", said.err);
        assert!(!desk.config().exists(), "{line}");
    }
    // What was kept before stays.
    desk.typed("login HOST -u ada --password-stdin", PASSWORD);
    desk.run(desk.command("login HOST -u ada --password-stdin"), "wrong");
    assert_eq!(desk.json("whoami")["principal"], "user:ada");
    let said = desk.run(desk.command("login 127.0.0.1:1 -u ada --password-stdin"), PASSWORD);
    assert!(
        said.err.ends_with("; check the host, its port, and that the registry runs\n"),
        "{}",
        said.err
    );
}

#[test]
fn who_has_to_wait_is_told_so_at_once() {
    let house = House::start_with(&[("WHARF_LIMITS_FAILED_LOGINS", "1/1h")]);
    let desk = Desk::new(&house.server.address());
    let log_in =
        |secret: &str| desk.run(desk.command("login HOST -u ada --password-stdin"), secret);
    assert!(log_in("wrong").err.contains("the name or the secret is wrong"));
    let began = std::time::Instant::now();
    let said = log_in(PASSWORD);
    assert!(said.code == 1 && said.err.contains("429 Too Many Requests"), "{}", said.err);
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "it does not wait an hour");
}

#[test]
fn a_token_is_enough_to_log_in_by() {
    let house = House::start();
    let robot = house.admin(&["robot", "team+ci"]);
    house.admin(&["grant", "team", "write", "--to", "robot:ci"]);
    let token = house.admin(&["token", "ada", "--role", "read", "--on", "team/*"]);
    let desk = Desk::new(&house.server.address());
    desk.typed("login HOST --token --password-stdin", &token);
    let expected = json!({ "principal": "user:ada", "site_admin": false, "role": "read", "pattern": "team/*" });
    assert_eq!(desk.json("whoami"), expected);
    desk.typed("login HOST --token --password-stdin", &robot);
    assert_eq!(desk.json("whoami")["principal"], "robot:team+ci");
    assert_eq!(desk.done("ls HOST/team/private"), "v1\n");
    // A robot is no user, so nothing is its own.
    let refused = desk.refused("token list");
    assert_eq!(refused, "robot:team+ci is no user: name the user who is meant");
}

/// What `docker login` keeps where the registry gives it an identity token.
#[test]
fn an_identity_token_of_docker_is_good_for_images_alone() {
    let house = House::start();
    let (desk, helper, host) =
        (Desk::new(&house.server.address()), Helper::new(), house.server.address());
    let form = format!(
        "grant_type=password&username=reader&password={}&access_type=offline&client_id=docker&service=wharf",
        PASSWORD.replace(' ', "+")
    );
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let said =
        house.registry.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap();
    let token = said.json()["refresh_token"].as_str().unwrap().to_owned();
    desk.configure(
        &json!({ "auths": { &host: { "auth": "cmVhZGVyOg==", "identitytoken": token } } }),
    );
    assert_eq!(desk.done("ls HOST/team/private"), "v1\n");
    let expected = "HOST asks for credentials and none are known for it: what `docker login` keeps for it is a token \
                    for images alone; log in with `wharf login HOST`";
    assert_eq!(desk.refused("whoami"), expected);
    // A credential helper has it under a name that is none.
    let entry = json!({ "ServerURL": host, "Username": "<token>", "Secret": token });
    std::fs::write(helper.kept(&host), entry.to_string()).unwrap();
    desk.configure(&json!({ "auths": { &host: {} }, "credsStore": "test" }));
    let listed = desk.run(helper.on_path_of(desk.command("ls HOST/team/private")), "");
    assert_eq!(listed.out, "v1\n", "{}", listed.err);
    // It ends with its user's password.
    house.admin(&["disable", "reader"]);
    let listed = desk.run(helper.on_path_of(desk.command("ls HOST/team/private")), "");
    assert!(listed.err.contains("did not accept the credentials"), "{}", listed.err);
}

#[test]
fn a_credential_helper_keeps_the_login_in_place_of_the_file() {
    let house = House::start();
    let (desk, helper, host) =
        (Desk::new(&house.server.address()), Helper::new(), house.server.address());
    for store in [json!({ "credsStore": "test" }), json!({ "credHelpers": { &host: "test" } })] {
        desk.configure(&store);
        let run = |line: &str, input: &str| {
            let said = desk.run(helper.on_path_of(desk.command(line)), input);
            assert_eq!(said.code, 0, "{line}: {}", said.err);
            said
        };
        let said = run("login HOST -u ada --password-stdin", PASSWORD);
        assert!(
            said.err.ends_with("the login is kept by docker-credential-test\n"),
            "{}",
            said.err
        );
        assert_eq!(desk.configured()["auths"], json!({ &host: {} }));
        let kept: Value =
            serde_json::from_slice(&std::fs::read(helper.kept(&host)).unwrap()).unwrap();
        assert_eq!(kept, json!({ "ServerURL": host, "Username": "ada", "Secret": PASSWORD }));
        assert!(run("whoami --json", "").out.contains("user:ada"));
        assert_eq!(run("ls HOST/team/private", "").out, "v1\n");
        run("logout", "");
        assert!(!helper.kept(&host).exists());
        assert_eq!(desk.configured()["auths"], json!({}));
        // To have nothing to forget is no error.
        run("logout HOST", "");
    }
    desk.configure(&json!({ "credsStore": "test" }));
    helper.becomes("#!/bin/sh\necho the keychain is locked; exit 1\n");
    let locked = helper.on_path_of(desk.command("login HOST -u ada --password-stdin"));
    let said = desk.run(locked, PASSWORD);
    assert_eq!(said.err, "wharf: docker-credential-test store failed: the keychain is locked\n");
    assert_eq!(said.code, 1);
    assert_eq!(desk.configured(), json!({ "credsStore": "test" }));
}

#[test]
fn a_registry_without_access_control_says_that_it_knows_nobody() {
    let server = Server::start();
    let desk = Desk::new(&server.address());
    let refused = desk.refused("user list --registry HOST");
    assert!(refused.contains("404"), "{refused}");
}
