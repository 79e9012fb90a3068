//! Tokens of workloads as an attacker sees them, and keys as their issuer changes them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};
use wharf_auth::issuer::documents::{Documents, NoDocument};
use wharf_auth::issuer::keys::{IssuerKeys, read_keys};
use wharf_auth::issuer::signed::TokenError;
use wharf_auth::workload::verification::{LONGEST, Workloads};

use crate::stand::HandClock;

const ISSUER: &str = "https://ci.example";
const NOW: u64 = 1_800_000_000;

/// Keys that an issuer publishes, with how often they were asked for.
#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Documents for Published {
    async fn fetch(&self, url: &str) -> Result<Bytes, NoDocument> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let document = if url.ends_with("/.well-known/openid-configuration") {
            json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys") })
        } else {
            json!({ "keys": *self.keys.lock().unwrap() })
        };
        Ok(document.to_string().into())
    }
}

struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.unwrap();
        let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Self(EcdsaKeyPair::from_pkcs8(scheme, document.as_ref()).unwrap())
    }

    fn public(&self, id: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn header(id: &str) -> Value {
    json!({ "alg": "ES256", "kid": id, "typ": "JWT" })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "wharf", "sub": "repo:team/app", "exp": NOW + 60, "nbf": NOW })
}

struct Stand {
    published: Arc<Published>,
    clock: Arc<HandClock>,
    workloads: Workloads,
    key: Key,
}

impl Stand {
    fn new() -> Self {
        let (published, clock, key) =
            (Arc::new(Published::default()), HandClock::new(), Key::new());
        published.keys.lock().unwrap().push(key.public("first"));
        let keys = IssuerKeys::published(ISSUER, published.clone(), clock.clone());
        let other = json!({ "keys": [Key::new().public("others")] }).to_string();
        let other = read_keys(other.as_bytes()).unwrap();
        let other = IssuerKeys::given("https://other.example", other, clock.clone());
        let issuers = [(ISSUER.to_owned(), keys), ("https://other.example".to_owned(), other)];
        let workloads = Workloads::new(BTreeMap::from(issuers), clock.clone());
        Self { published, clock, workloads, key }
    }

    async fn refused(&self, token: &str) -> Option<TokenError> {
        self.workloads.verify(token).await.err()
    }

    async fn refused_with(&self, name: &str, value: Value) -> Option<TokenError> {
        let mut claims = claims();
        claims[name] = value;
        self.refused(&self.key.sign(&header("first"), &claims)).await
    }
}

#[tokio::test]
async fn a_token_says_who_a_workload_is() {
    let stand = Stand::new();
    let workload = stand.workloads.verify(&stand.key.sign(&header("first"), &claims())).await;
    let workload = workload.unwrap();
    assert_eq!((workload.issuer.as_str(), workload.subject.as_str()), (ISSUER, "repo:team/app"));
    assert!(workload.is_for("wharf") && !workload.is_for("other"));
}

#[tokio::test]
async fn times_and_names_are_checked() {
    let stand = Stand::new();
    for (name, value, expected) in [
        ("exp", json!(NOW - 29), None),
        ("exp", json!(NOW - 30), Some(TokenError::Expired)),
        ("exp", json!(null), Some(TokenError::Form)),
        ("exp", json!("never"), Some(TokenError::Form)),
        ("exp", json!(-1), Some(TokenError::Form)),
        ("nbf", json!(NOW + 30), None),
        ("nbf", json!(NOW + 31), Some(TokenError::Early)),
        ("nbf", json!("now"), Some(TokenError::Form)),
        ("sub", json!(""), Some(TokenError::Form)),
        ("sub", json!(7), Some(TokenError::Form)),
        ("sub", json!("a".repeat(3000)), Some(TokenError::Form)),
        ("iss", json!("https://ci.example/"), Some(TokenError::UnknownIssuer)),
        ("iss", json!("https://other.example"), Some(TokenError::UnknownKey)),
        ("iss", json!([ISSUER]), Some(TokenError::Form)),
    ] {
        assert_eq!(stand.refused_with(name, value.clone()).await, expected, "{name} {value}");
    }
    let huge = stand.refused_with("padding", json!("a".repeat(LONGEST))).await;
    assert_eq!(huge, Some(TokenError::Form));
    for text in ["", ".", "..", "a.b.c", "password"] {
        assert_eq!(stand.refused(text).await, Some(TokenError::Form), "{text:?}");
    }
}

/// A key of one's own, the algorithms `none` and HS256 by a public key, and the key of another issuer.
#[tokio::test]
async fn nothing_that_a_header_says_makes_a_key_the_issuers() {
    let (stand, thief) = (Stand::new(), Key::new());
    let by_thief = |header: &Value| thief.sign(header, &claims());
    assert_eq!(stand.refused(&by_thief(&header("first"))).await, Some(TokenError::NotSigned));
    for (name, value) in [
        ("jwk", thief.public("first")),
        ("jku", json!("https://thief.example/keys")),
        ("x5u", json!("https://thief.example/chain")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = header("first");
        header[name] = value;
        let refused = stand.refused(&by_thief(&header)).await;
        assert!(refused.is_some(), "{name}");
    }
    for (algorithm, expected) in [
        ("none", TokenError::Form),
        ("HS256", TokenError::UnknownKey),
        ("RS256", TokenError::UnknownKey),
        ("ES384", TokenError::UnknownKey),
    ] {
        let header = json!({ "alg": algorithm, "kid": "first" });
        let refused = stand.refused(&stand.key.sign(&header, &claims())).await;
        assert_eq!(refused, Some(expected), "{algorithm}");
    }
    let others = stand.refused(&stand.key.sign(&header("others"), &claims())).await;
    assert_eq!(others, Some(TokenError::UnknownKey));
    let good = stand.key.sign(&header("first"), &claims());
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    assert!(stand.refused(&format!("{unsigned}.")).await.is_some());
}

#[tokio::test]
async fn a_new_key_is_asked_for_once_a_minute_and_by_all_together() {
    let stand = Arc::new(Stand::new());
    let asked = || stand.published.asked.load(Ordering::SeqCst);
    let first = stand.key.sign(&header("first"), &claims());
    let many: Vec<_> = (0..50)
        .map(|_| {
            let (stand, first) = (Arc::clone(&stand), first.clone());
            tokio::spawn(async move { stand.refused(&first).await })
        })
        .collect();
    for one in many {
        assert_eq!(one.await.unwrap(), None);
    }
    assert_eq!(asked(), 2);
    let second = Key::new();
    stand.published.keys.lock().unwrap().push(second.public("second"));
    let second = second.sign(&header("second"), &claims());
    for _ in 0..3 {
        assert_eq!(stand.refused(&second).await, Some(TokenError::UnknownKey));
    }
    assert_eq!(asked(), 2);
    stand.clock.advance(Duration::from_secs(60));
    assert_eq!(stand.refused(&second).await, None);
    assert_eq!((stand.refused(&first).await, asked()), (None, 4));
}

#[test]
fn only_public_keys_to_verify_by_are_keys() {
    let good = Key::new().public("good");
    let mut keys = vec![good.clone(), json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0" })];
    keys.push(json!({ "kty": "new", "kid": "unknown" }));
    let mut encrypts = good.clone();
    (encrypts["kid"], encrypts["use"]) = (json!("encrypts"), json!("enc"));
    let mut spiffe = good.clone();
    (spiffe["kid"], spiffe["use"]) = (json!("spiffe"), json!("jwt-svid"));
    keys.extend([encrypts, spiffe]);
    let read = read_keys(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["good", "spiffe"]);
    let many = vec![good; 101];
    assert!(read_keys(json!({ "keys": many }).to_string().as_bytes()).is_err());
    assert!(read_keys(b"{}").is_err());
}
