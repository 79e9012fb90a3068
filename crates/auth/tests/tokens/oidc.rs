//! Logins at a provider as time goes by: keys that change, a provider that is silent, and answers that come late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom as Chance;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use wharf_auth::issuer::documents::{Asked, Documents, Endpoints, NoDocument};
use wharf_auth::issuer::keys::IssuerKeys;
use wharf_auth::issuer::signed::TokenError;
use wharf_auth::oidc::claims::ClaimRules;
use wharf_auth::oidc::provider::{OidcError, Provider, ProviderSettings};
use wharf_core::authority::Secret;
use wharf_core::browser::{Attempt, BrowserSecret, ProviderAnswer, Purpose};
use wharf_core::clock::{Clock as _, SystemRandom};
use wharf_core::metadata::ExternalIdentity;

use crate::stand::HandClock;

const ISSUER: &str = "https://sso.example";

struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(scheme, &Chance::new()).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(scheme, document.as_ref()).unwrap())
    }

    fn public(&self, id: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y })
    }

    fn sign(&self, id: &str, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": id });
        let text = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.0.sign(&Chance::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What the provider publishes and answers.
#[derive(Default)]
struct Side {
    silent: AtomicBool,
    keys: Mutex<Vec<Value>>,
    id_token: Mutex<String>,
}

impl Side {
    fn check(&self) -> Result<(), NoDocument> {
        let silent = self.silent.load(Ordering::SeqCst);
        if silent { Err(NoDocument("it is silent".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Documents for Side {
    async fn fetch(&self, url: &str) -> Result<Bytes, NoDocument> {
        self.check()?;
        let document = if url.ends_with("/.well-known/openid-configuration") {
            json!({
                "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys"),
                "authorization_endpoint": format!("{ISSUER}/auth"), "token_endpoint": format!("{ISSUER}/token"),
            })
        } else {
            json!({ "keys": *self.keys.lock().unwrap() })
        };
        Ok(document.to_string().into())
    }
}

#[async_trait]
impl Endpoints for Side {
    async fn ask(&self, _: Asked) -> Result<(StatusCode, Bytes), NoDocument> {
        self.check()?;
        let answer = json!({ "id_token": *self.id_token.lock().unwrap() });
        Ok((StatusCode::OK, answer.to_string().into()))
    }
}

struct Stand {
    side: Arc<Side>,
    clock: Arc<HandClock>,
    provider: Provider,
}

impl Stand {
    fn new() -> Self {
        let (side, clock) = (Arc::new(Side::default()), HandClock::new());
        let settings = ProviderSettings {
            name: "sso".parse().unwrap(),
            label: "SSO".into(),
            issuer: ISSUER.into(),
            client_id: "wharf".into(),
            client_secret: None,
            scopes: "openid".into(),
            claims: ClaimRules::default(),
            create_users: true,
        };
        let issuer = IssuerKeys::published(ISSUER, side.clone(), clock.clone());
        let provider = Provider { settings, issuer, endpoints: side.clone(), clock: clock.clone() };
        Self { side, clock, provider }
    }

    fn attempt(&self) -> Attempt {
        Attempt {
            provider: "sso".parse().unwrap(),
            secret: BrowserSecret::new(&SystemRandom),
            callback: "https://registry.example/login/sso/callback".into(),
        }
    }

    /// Somebody logs in, whose ID token this key signed a moment ago.
    async fn log_in(&self, key: &Key, id: &str) -> Result<ExternalIdentity, OidcError> {
        let attempt = self.attempt();
        self.provider.begin(&attempt).await?;
        let now = self.clock.now().0 / 1_000_000;
        let claims = json!({
            "iss": ISSUER, "aud": "wharf", "sub": "1", "iat": now, "exp": now + 60,
            "nonce": attempt.secret.derived(Purpose::Nonce),
        });
        *self.side.id_token.lock().unwrap() = key.sign(id, &claims);
        self.provider.finish(&attempt, &answer(&attempt)).await
    }
}

fn answer(attempt: &Attempt) -> ProviderAnswer {
    ProviderAnswer {
        state: attempt.secret.derived(Purpose::State),
        code: Some(Secret::new("code".into())),
        issuer: None,
        error: None,
    }
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_found_and_an_old_one_ends() {
    let (stand, first, second) = (Stand::new(), Key::new(), Key::new());
    stand.side.keys.lock().unwrap().push(first.public("first"));
    assert!(stand.log_in(&first, "first").await.is_ok());
    // The provider changes its key, and signs by it at once.
    *stand.side.keys.lock().unwrap() = vec![second.public("second")];
    let unknown = Err(OidcError::Token(TokenError::UnknownKey));
    assert_eq!(stand.log_in(&second, "second").await, unknown);
    stand.clock.advance(Duration::from_secs(60));
    assert!(stand.log_in(&second, "second").await.is_ok());
    assert_eq!(stand.log_in(&first, "first").await, unknown);
    // A name that was used before says nothing of the key.
    let not_signed = Err(OidcError::Token(TokenError::NotSigned));
    assert_eq!(stand.log_in(&first, "second").await, not_signed);
}

#[tokio::test]
async fn a_silent_provider_is_asked_again_after_a_while() {
    let (stand, key) = (Stand::new(), Key::new());
    stand.side.keys.lock().unwrap().push(key.public("1"));
    stand.side.silent.store(true, Ordering::SeqCst);
    assert!(matches!(stand.log_in(&key, "1").await, Err(OidcError::Provider(_))));
    stand.side.silent.store(false, Ordering::SeqCst);
    assert!(matches!(stand.log_in(&key, "1").await, Err(OidcError::Provider(_))));
    stand.clock.advance(Duration::from_secs(5));
    assert!(stand.log_in(&key, "1").await.is_ok());
    // What was known before does until it answers, and not for ever.
    stand.side.silent.store(true, Ordering::SeqCst);
    stand.clock.advance(Duration::from_secs(3600));
    assert!(stand.provider.begin(&stand.attempt()).await.is_ok());
    stand.clock.advance(Duration::from_secs(24 * 3600));
    assert!(matches!(stand.provider.begin(&stand.attempt()).await, Err(OidcError::Provider(_))));
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let (stand, key) = (Stand::new(), Key::new());
    stand.side.keys.lock().unwrap().push(key.public("1"));
    assert!(stand.log_in(&key, "1").await.is_ok());
    let (mine, other) = (stand.attempt(), stand.attempt());
    assert_eq!(stand.provider.finish(&mine, &answer(&other)).await, Err(OidcError::Stale));
    let elsewhere = Attempt { provider: "other".parse().unwrap(), ..mine.clone() };
    assert_eq!(stand.provider.finish(&elsewhere, &answer(&mine)).await, Err(OidcError::Stale));
    // The ID token of the login before, for another nonce.
    assert!(matches!(
        stand.provider.finish(&mine, &answer(&mine)).await,
        Err(OidcError::NoAnswer(_))
    ));
    let without_code = ProviderAnswer { code: None, ..answer(&mine) };
    assert!(matches!(
        stand.provider.finish(&mine, &without_code).await,
        Err(OidcError::Provider(_))
    ));
}
