//! Keys: which are taken, which signs, and how one follows another.

use std::fs;
use std::time::{Duration, SystemTime};

use wharf_auth::key_store::KeyStore;
use wharf_auth::keys::{KeyError, KeyRing, SETTLING, make_first};
use wharf_auth::token::{TokenError, issue};
use wharf_core::clock::SystemRandom;
use wharf_core::permissions::Rights;

use crate::stand::{Stand, add_key, authority, folder, ring};

#[test]
fn a_first_key_is_made_once() {
    let folder = folder();
    let before = fs::read(folder.path().join("first.pem")).unwrap();
    assert!(!make_first(folder.path()).unwrap());
    assert_eq!(fs::read(folder.path().join("first.pem")).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(folder.path().join("first.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(ring(folder.path()).can_sign());
}

#[test]
fn a_new_key_verifies_at_once_and_signs_once_every_node_has_read_it() {
    let stand = Stand::new();
    let old = stand.issue("user:ada", &Rights::default()).text;
    add_key(stand.folder.path(), "second.pem", Duration::ZERO);
    let both = ring(stand.folder.path());
    assert_eq!(both.published().keys.len(), 2);
    let sign = |keys: &KeyRing| {
        let who = "user:ada".parse().unwrap();
        let rights = Rights::default();
        issue(keys, &authority(), &who, &rights, &*stand.clock, &SystemRandom).unwrap().text
    };
    // By the old one, which nodes that have not read the new one know.
    assert!(stand.verify(&sign(&both)).is_ok());
    let later = KeyRing::read(stand.folder.path(), SystemTime::now() + SETTLING).unwrap();
    let new = sign(&later);
    assert_eq!(stand.verify(&new), Err(TokenError::UnknownKey));
    for token in [&old, &new] {
        assert!(stand.verifier.verify(&both, token).is_ok());
    }
    // The old key goes once its last tokens have expired.
    fs::remove_file(stand.folder.path().join("first.pem")).unwrap();
    let one = ring(stand.folder.path());
    assert!(stand.verifier.verify(&one, &new).is_ok());
    assert_eq!(stand.verifier.verify(&one, &old), Err(TokenError::UnknownKey));
}

#[test]
fn a_folder_that_cannot_be_read_leaves_the_keys_in_force() {
    let folder = folder();
    let store = KeyStore::open(folder.path()).unwrap();
    let published = store.current().published().clone();
    fs::write(folder.path().join("zz.pem"), "no key").unwrap();
    let error = store.read_again().unwrap_err();
    assert!(error.to_string().contains("zz.pem"), "{error}");
    assert_eq!(*store.current().published(), published);
    fs::remove_file(folder.path().join("zz.pem")).unwrap();
    add_key(folder.path(), "second.pem", SETTLING);
    store.read_again().unwrap();
    assert_eq!(store.current().published().keys.len(), 2);
}

#[test]
fn what_is_no_key_of_ours_is_refused_with_the_files_name() {
    let folder = tempfile::TempDir::new().unwrap();
    let read = || KeyRing::read(folder.path(), SystemTime::now()).map(|_| ());
    assert!(matches!(read(), Err(KeyError::None(_))));
    for text in [
        "",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(folder.path().join("bad.pem"), text).unwrap();
        let error = read().unwrap_err();
        assert!(matches!(error, KeyError::NoKey { .. }), "{error}");
        assert!(error.to_string().contains("bad.pem"), "{error}");
    }
    let missing = folder.path().join("missing");
    assert!(matches!(KeyRing::read(&missing, SystemTime::now()), Err(KeyError::Unreadable { .. })));
}
