//! `wharf org quota`, `wharf repo quota` and `wharf du`, and what `wharf push` says where there is no room.

use tempfile::TempDir;

use crate::desk::{Desk, shows};
use crate::house::House;
use crate::support::layout::write_image_of_layers;

#[test]
fn quotas_are_set_shown_and_lifted() {
    let house = House::start();
    let (root, ada) = (Desk::of(&house, "root"), Desk::of(&house, "ada"));
    root.done("org quota team --bytes 10GB --tags 100");
    shows!(ada.done("org quota team"), @r"
        bytes | 10000000000 bytes (10.0 GB)
        manifests | -
        tags | 100
        ");
    assert!(ada.refused("org quota team --bytes 1GB").contains("403"));
    assert_eq!(ada.json("repo quota team/private --manifests 7")["manifests"], 7);
    ada.done("repo quota team/private --remove");
    assert_eq!(ada.json("repo quota team/private"), serde_json::json!({}));
    assert_eq!(ada.run(ada.command("org quota team --bytes many"), "").code, 2);
}

#[test]
fn what_is_held_is_shown() {
    let house = House::start();
    let (root, ada) = (Desk::of(&house, "root"), Desk::of(&house, "ada"));
    root.done("org quota team --bytes 1MB");
    shows!(ada.done("du --org team"), @r"
        referenced | 927 bytes
        bytes | 927 bytes of 1000000 bytes (1.0 MB)
        saved | 0 bytes, 0 %
        reserved | 0 bytes
        manifests | 3
        tags | 3
        complete | yes
        ");
    shows!(ada.done("du --repository team/private"), @r"
        referenced | 309 bytes
        bytes | 309 bytes
        saved | 0 bytes, 0 %
        reserved | 0 bytes
        manifests | 1
        tags | 1
        complete | yes
        ");
    assert_eq!(ada.json("du --org team --each").as_array().unwrap().len(), 3);
    assert_eq!(root.json("du")["manifests"], 3);
    assert!(ada.refused("du").contains("403"));
}

#[test]
fn a_push_that_does_not_fit_says_why() {
    let house = House::start();
    let (root, ada) = (Desk::of(&house, "root"), Desk::of(&house, "ada"));
    root.done("org quota team --bytes 1kB");
    let folder = TempDir::new().unwrap();
    let layout = folder.path().join("layout");
    write_image_of_layers(&layout, 2);
    let push = ada.command(&format!("push {} HOST/team/app:v1", layout.display()));
    let said = ada.run(push, "");
    assert_eq!(said.code, 1, "{}", said.err);
    let why = said.err.lines().last().unwrap();
    assert!(why.contains("403 Forbidden"), "{why}");
    assert!(why.contains("DENIED (the quota of the namespace team is exceeded: 9"), "{why}");
    root.done("org quota team --remove");
    ada.done(&format!("push {} HOST/team/app:v1", layout.display()));
}
