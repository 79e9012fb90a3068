//! What is verified of a token: everything.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wharf_auth::scope;
use wharf_auth::token::{Authority, LONGEST, TokenError};
use wharf_core::permissions::Rights;

use crate::stand::{Stand, authority};

fn rights() -> Rights {
    scope::parse(["repository:team/app:pull,push registry:catalog:*"]).unwrap()
}

/// A part of a token as JSON.
fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// A token with another part.
fn with_part(token: &str, index: usize, value: &Value) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[index] = URL_SAFE_NO_PAD.encode(value.to_string());
    parts.join(".")
}

#[test]
fn a_token_says_who_it_is_of_and_what_it_grants() {
    let stand = Stand::new();
    for principal in ["anonymous", "user:ada", "robot:team+ci"] {
        let issued = stand.issue(principal, &rights());
        let caller = stand.verify(&issued.text).unwrap();
        assert_eq!(caller.principal.to_string(), principal);
        assert_eq!(caller.rights, Some(rights()));
    }
    let issued = stand.issue("user:ada", &rights());
    let claims = part(&issued.text, 1);
    assert_eq!(claims["exp"], issued.issued_at + 300);
    assert_eq!(
        claims["access"],
        json!([
            { "type": "repository", "name": "team/app", "actions": ["pull", "push"] },
            { "type": "registry", "name": "catalog", "actions": ["*"] },
        ])
    );
    let again = stand.issue("user:ada", &rights());
    assert_ne!(part(&again.text, 1)["jti"], claims["jti"]);
}

#[test]
fn a_token_that_was_changed_anywhere_is_refused() {
    let stand = Stand::new();
    let token = stand.issue("user:ada", &rights()).text;
    for index in (0..token.len()).step_by(7) {
        let mut changed = token.clone().into_bytes();
        // The lowest bits of the last letter of a part may say nothing.
        changed[index] = if changed[index] == b'A' { b'Q' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        if changed != token {
            assert!(stand.verify(&changed).is_err(), "byte {index}");
        }
    }
    let mut claims = part(&token, 1);
    claims["sub"] = "user:root".into();
    assert_eq!(stand.verify(&with_part(&token, 1, &claims)), Err(TokenError::NotOurs));
    for text in ["", ".", "..", "a.b.c", "Bearer", &token[..token.len() / 2]] {
        assert_eq!(stand.verify(text), Err(TokenError::Form), "{text:?}");
    }
    assert_eq!(stand.verify(&"a".repeat(LONGEST + 1)), Err(TokenError::Form));
}

/// CVE-2025-24976: a header that brings its own key. And the algorithms `none` and HS256 by a public key.
#[test]
fn nothing_that_a_header_says_makes_a_key_ours() {
    let stand = Stand::new();
    let other = Stand::new();
    let token = other.issue("user:root", &rights()).text;
    assert_eq!(stand.verify(&token), Err(TokenError::UnknownKey));
    let ours = part(&stand.issue("user:ada", &rights()).text, 0);
    let jwk = serde_json::to_value(&other.keys.published().keys[0]).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/chain")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = ours.clone();
        header[name] = value;
        // The other's signature under our key's name, and with a key of its own.
        assert!(stand.verify(&with_part(&token, 0, &header)).is_err(), "{name}");
        header["kid"] = "../../etc/passwd".into();
        assert!(stand.verify(&with_part(&token, 0, &header)).is_err(), "{name}");
    }
    let valid = stand.issue("user:ada", &rights()).text;
    for algorithm in ["none", "HS256", "RS384", "PS256", "ES256"] {
        let mut header = ours.clone();
        header["alg"] = algorithm.into();
        let changed = with_part(&valid, 0, &header);
        assert!(stand.verify(&changed).is_err(), "{algorithm}");
        let unsigned = format!("{}.", changed.rsplit_once('.').unwrap().0);
        assert!(stand.verify(&unsigned).is_err(), "{algorithm} without a signature");
    }
    let mut header = ours;
    header.as_object_mut().unwrap().remove("kid");
    assert_eq!(stand.verify(&with_part(&valid, 0, &header)), Err(TokenError::UnknownKey));
}

#[test]
fn a_token_for_another_service_or_of_another_issuer_is_refused() {
    let stand = Stand::new();
    for other in [
        Authority { service: "other.example".into(), ..authority() },
        Authority { issuer: "other.example".into(), ..authority() },
    ] {
        let token = stand.issue_as(&other, "user:ada", &rights()).text;
        assert_eq!(stand.verify(&token), Err(TokenError::NotOurs));
    }
}

#[test]
fn a_token_is_good_for_its_time_give_or_take_half_a_minute() {
    let stand = Stand::new();
    let token = stand.issue("user:ada", &rights()).text;
    stand.clock.advance(Duration::from_secs(329));
    assert!(stand.verify(&token).is_ok());
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(stand.verify(&token), Err(TokenError::Expired));
    stand.clock.turn_back(Duration::from_secs(360));
    assert!(stand.verify(&token).is_ok());
    stand.clock.turn_back(Duration::from_secs(1));
    assert_eq!(stand.verify(&token), Err(TokenError::Early));
}

#[test]
fn nobody_gets_a_token_of_the_system() {
    let stand = Stand::new();
    let token = stand.issue("system", &rights()).text;
    assert_eq!(stand.verify(&token), Err(TokenError::Form));
}
