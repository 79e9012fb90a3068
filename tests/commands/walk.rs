//! From the set-up code of a registry in which nobody is anybody to an image that a robot pushed.

use tempfile::TempDir;

use crate::desk::{Desk, shows};
use crate::house::PASSWORD;
use crate::support::layout::write_image_of_layers;
use crate::support::program::wait_until;
use crate::support::server::{Process, Server};

/// The code that the server prints.
fn set_up_code(server: &Server) -> String {
    let mut code = None;
    wait_until("the server prints a set-up code", std::time::Duration::from_secs(30), || {
        let log = server.log();
        code = log
            .split_once("set-up code: ")
            .map(|(_, rest)| rest.split(' ').next().unwrap().to_owned());
        code.is_some()
    });
    code.unwrap()
}

#[test]
fn the_first_administrator_has_a_robot_push_a_private_image() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let server = Process::launch(&data, &[("WHARF_ACCESS_CONTROL", "true")]).ready();
    let (ada, ci) = (Desk::new(&server.address()), Desk::new(&server.address()));
    let code = set_up_code(&server);
    ada.typed(
        &format!("sign-up ada --registry HOST --invitation {code} --password-stdin"),
        PASSWORD,
    );
    ada.typed("login HOST -u ada --password-stdin", PASSWORD);
    assert_eq!(ada.json("whoami")["site_admin"], true);
    ada.done("org create team");
    let secret = ada.done("robot create team+ci --days 90");
    ada.done("access grant team write --to robot:ci --on team/app");

    ci.typed("login HOST --token --password-stdin", &secret);
    let layout = folder.path().join("layout");
    write_image_of_layers(&layout, 2);
    ci.done(&format!("push {} HOST/team/app:v1", layout.display()));
    assert_eq!(ci.done("ls HOST/team/app"), "v1\n");
    let nobody = Desk::new(&server.address());
    nobody.refused("ls HOST/team/app");

    shows!(ada.done("access explain robot:team+ci team/app"), @r"
        pull | allowed: grant 2 gives write on team/app
        push | allowed: grant 2 gives write on team/app
        delete | denied: no grant gives it
        ");
    assert_eq!(ada.json("repo show team/app")["visibility"], "private");
    shows!(ada.done("audit --namespace team --action manifest.push"), @"2026-01-01T00:00:00Z | robot:team+ci | manifest.push | repository:team/app@sha256:7788e223cf73841cd987ebefac8c7e517e3a73d0234161414e21334b62322f91 | done | 127.0.0.1 | tags=v1");
    assert!(!server.log().contains(secret.trim()));
}
