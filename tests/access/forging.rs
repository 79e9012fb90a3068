//! Tokens that no login gives: signed by the registry's own key at another time, by another key, or changed by hand.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;
use tempfile::TempDir;
use wharf_auth::keys::{KeyRing, make_first};
use wharf_auth::scope;
use wharf_auth::token::{Authority, issue};
use wharf_core::clock::{Clock, SystemClock, SystemRandom, Timestamp};

/// How long a token of [`signed_ago`] is good for.
pub const LIFE: Duration = Duration::from_secs(300);

/// How long past its end a token is still taken, for clocks that differ.
pub const SKEW: Duration = Duration::from_secs(30);

/// A clock that is this much late.
struct Late(Duration);

impl Clock for Late {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 - self.0.as_micros() as i64)
    }
}

/// A token that the key of this folder signed so long ago, as the registry would have.
pub fn signed_ago(keys: &Path, ago: Duration, principal: &str, scope: &str) -> String {
    let ring = KeyRing::read(keys, SystemTime::now()).unwrap();
    let service = "wharf".to_owned();
    let authority = Authority { issuer: service.clone(), service, life: LIFE };
    let rights = scope::parse([scope]).unwrap();
    let principal = principal.parse().unwrap();
    issue(&ring, &authority, &principal, &rights, &Late(ago), &SystemRandom).unwrap().text
}

/// The same signed just now by a key that is not the registry's.
pub fn signed_by_a_stranger(principal: &str, scope: &str) -> String {
    signed_ago(strange_key().path(), Duration::ZERO, principal, scope)
}

/// A folder with a key that nobody trusts.
pub fn strange_key() -> TempDir {
    let folder = TempDir::new().unwrap();
    assert!(make_first(folder.path()).unwrap());
    folder
}

/// A part of a token: 0 is the header, 1 the claims.
pub fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// The token with another part, and the signature as it was.
pub fn with_part(token: &str, index: usize, part: &Value) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[index] = URL_SAFE_NO_PAD.encode(part.to_string());
    parts.join(".")
}

/// The token with other claims, and the signature as it was.
pub fn claiming(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = part(token, 1);
    change(&mut claims);
    with_part(token, 1, &claims)
}

/// These claims signed by the key of a folder under a header of the attacker's choice.
pub fn signed_with_header(keys: &Path, header: &Header, claims: &Value) -> String {
    assert_eq!(header.alg, Algorithm::RS256);
    let pem = fs::read(keys.join("first.pem")).unwrap();
    jsonwebtoken::encode(header, claims, &EncodingKey::from_rsa_pem(&pem).unwrap()).unwrap()
}
