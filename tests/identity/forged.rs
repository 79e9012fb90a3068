//! What a provider answers that is not to be believed, and a provider that is not there.

use std::net::TcpListener;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use crate::browser::{Browser, encoded, parameter};
use crate::fake::{Fake, Login, basic, public, sign};
use crate::support::program::wait_until;

#[test]
fn a_client_says_who_it_is_and_proves_that_it_asked() {
    let fake = Fake::start();
    let server = fake.registry();
    let mut login = Login::begin(&server);
    // What the end-point's own query says stays.
    assert!(
        login.asked.starts_with(&format!("{}/authorize?tenant=1&response_type=code", fake.url))
    );
    assert_eq!(parameter(&login.asked, "client_id").unwrap(), "wharf");
    fake.gives(&fake.sign(&fake.claims(&login.asked)));
    let page = login.end("");
    assert!(page.is_redirect() && login.is_in(), "{}", page.text);
    let asked = fake.says.lock().unwrap().asked.clone();
    let (authorization, form) = asked.split_once('\n').unwrap();
    assert_eq!(authorization, basic("wharf", "a secret of the client"));
    let form = format!("?{form}");
    assert_eq!(parameter(&form, "code").unwrap(), "a%20code");
    assert_eq!(parameter(&form, "redirect_uri"), parameter(&login.asked, "redirect_uri"));
    let verifier = parameter(&form, "code_verifier").unwrap();
    assert_eq!(verifier.len(), 64);
    for told in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&login.asked, told).unwrap(), verifier, "{told}");
    }
    for secret in ["a secret of the client", verifier.as_str()] {
        assert!(!server.log().contains(secret));
    }
}

#[test]
fn a_forged_or_foreign_or_expired_id_token_lets_nobody_in() {
    let fake = Fake::start();
    let server = fake.registry();
    let thief = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let changed = |asked: &str, name: &str, value: Value| {
        let mut claims = fake.claims(asked);
        claims[name] = value;
        fake.sign(&claims)
    };
    let now = |asked: &str| fake.claims(asked)["iat"].as_u64().unwrap();
    type Forger<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let with_key = |header: Value, claims: &Value| {
        let text = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        format!("{text}.")
    };
    let by_secret = |secret: &[u8], claims: &Value| {
        let header = Header { kid: Some("1".into()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let forgers: Vec<(&str, Forger<'_>)> = vec![
        ("another key", Box::new(|asked| sign(&thief, &fake.claims(asked)))),
        ("no signature", Box::new(|asked| with_key(json!({ "alg": "none" }), &fake.claims(asked)))),
        (
            "a key in its header",
            Box::new(|asked| {
                let mut header = Header::new(Algorithm::ES256);
                header.jwk = serde_json::from_value(public(&thief)).unwrap();
                let key = EncodingKey::from_ec_der(thief.serialized_der());
                jsonwebtoken::encode(&header, &fake.claims(asked), &key).unwrap()
            }),
        ),
        (
            "the client's secret",
            Box::new(|asked| by_secret(b"a secret of the client", &fake.claims(asked))),
        ),
        (
            "the public key as a secret",
            Box::new(|asked| by_secret(fake.key.public_key_raw(), &fake.claims(asked))),
        ),
        ("another issuer", Box::new(|asked| changed(asked, "iss", json!("https://evil.example")))),
        ("another client", Box::new(|asked| changed(asked, "aud", json!("other")))),
        (
            "more than one client",
            Box::new(|asked| changed(asked, "aud", json!(["wharf", "other"]))),
        ),
        ("another party", Box::new(|asked| changed(asked, "azp", json!("other")))),
        ("another login", Box::new(|asked| changed(asked, "nonce", json!("0".repeat(64))))),
        ("no login", Box::new(|asked| changed(asked, "nonce", json!(null)))),
        ("one that has expired", Box::new(|asked| changed(asked, "exp", json!(now(asked) - 60)))),
        ("one without an end", Box::new(|asked| changed(asked, "exp", json!(null)))),
        ("one for later", Box::new(|asked| changed(asked, "nbf", json!(now(asked) + 600)))),
        ("one of yesterday", Box::new(|asked| changed(asked, "iat", json!(now(asked) - 86_400)))),
        ("nobody", Box::new(|asked| changed(asked, "sub", json!("")))),
        ("no token", Box::new(|_| "opaque".into())),
    ];
    for (what, forge) in forgers {
        let mut login = Login::begin(&server);
        fake.gives(&forge(&login.asked));
        let page = login.end("");
        assert_eq!(page.status, 502, "{what}: {}", page.text);
        assert!(page.text.contains("identity provider cannot be used"), "{what}: {}", page.text);
        assert!(!login.is_in(), "{what}");
    }
    let mut login = Login::begin(&server);
    fake.gives(&fake.sign(&fake.claims(&login.asked)));
    assert!(login.end("").is_redirect() && login.is_in());
}

/// With the cookie that belongs to it, which whoever made up the answer can make up too.
#[test]
fn answers_that_are_made_up_ask_the_provider_only_so_often() {
    let fake = Fake::start();
    let server = fake.registry_with(&[("WHARF_LIMITS_FAILED_LOGINS", "1/1h")]);
    let (status, body) = (400, json!({ "error": "invalid_grant" }).to_string());
    fake.says.lock().unwrap().token = (status, body);
    // Five times as often as one name may fail, as with passwords.
    for _ in 0..5 {
        assert_eq!(Login::begin(&server).end("").status, 400);
    }
    fake.says.lock().unwrap().asked.clear();
    let mut login = Login::begin(&server);
    fake.gives(&fake.sign(&fake.claims(&login.asked)));
    let refused = login.end("");
    assert_eq!((refused.status, login.is_in()), (429, false), "{}", refused.text);
    assert!(refused.header("Retry-After").parse::<u32>().unwrap() > 0);
    assert_eq!(fake.says.lock().unwrap().asked, "", "the provider was asked");
}

/// However many there are.
#[test]
fn good_answers_count_as_no_failures() {
    let fake = Fake::start();
    let server = fake.registry_with(&[("WHARF_LIMITS_FAILED_LOGINS", "1/1h")]);
    for _ in 0..8 {
        let mut login = Login::begin(&server);
        fake.gives(&fake.sign(&fake.claims(&login.asked)));
        let page = login.end("");
        assert!(page.is_redirect() && login.is_in(), "{}", page.text);
    }
}

#[test]
fn a_token_end_point_that_fails_lets_nobody_in() {
    let fake = Fake::start();
    let server = fake.registry();
    let good = |login: &Login| fake.sign(&fake.claims(&login.asked));
    let huge = format!("{{\"id_token\":\"{}\"}}", "a".repeat(300 << 10));
    for (status, body, expected) in [
        (500, "broken".to_owned(), 502),
        (400, json!({ "error": "invalid_client" }).to_string(), 502),
        (400, json!({ "error": "invalid_grant" }).to_string(), 400),
        (200, json!({ "access_token": "opaque" }).to_string(), 502),
        (200, "[]".to_owned(), 502),
        (200, huge, 502),
        (307, String::new(), 502),
    ] {
        let mut login = Login::begin(&server);
        fake.says.lock().unwrap().token = (status, body.clone());
        let page = login.end("");
        assert_eq!((page.status, login.is_in()), (expected, false), "{status}: {}", page.text);
    }
    // An answer that says whose it is, and is another's.
    let mut login = Login::begin(&server);
    fake.gives(&good(&login));
    assert_eq!(login.end(&format!("&iss={}", encoded("https://evil.example"))).status, 502);
    let mut login = Login::begin(&server);
    fake.gives(&good(&login));
    assert!(login.end(&format!("&iss={}", encoded(&fake.url))).is_redirect());
}

/// And adds to an ID token what that does not say.
#[test]
fn what_is_said_of_somebody_else_is_not_believed() {
    let fake = Fake::start();
    {
        let mut says = fake.says.lock().unwrap();
        says.configuration["userinfo_endpoint"] = json!(format!("{}/userinfo", fake.url));
    }
    let server = fake.registry_with(&[("WHARF_OIDC_REQUIRED_GROUPS", "fake=/registry")]);
    for (sub, groups, status) in [
        (json!("1"), json!(["/registry"]), 303),
        (json!("1"), json!([]), 403),
        (json!("2"), json!(["/registry"]), 502),
        (json!(null), json!(["/registry"]), 502),
    ] {
        let mut login = Login::begin(&server);
        fake.gives(&fake.sign(&fake.claims(&login.asked)));
        fake.says.lock().unwrap().userinfo = (200, json!({ "sub": sub, "groups": groups }));
        let page = login.end("");
        assert_eq!(page.status, status, "{sub} {groups}: {}", page.text);
        assert_eq!(fake.says.lock().unwrap().asked, "Bearer opaque");
    }
    // The ID token has the last word.
    let mut login = Login::begin(&server);
    let mut claims = fake.claims(&login.asked);
    claims["groups"] = json!([]);
    fake.gives(&fake.sign(&claims));
    fake.says.lock().unwrap().userinfo = (200, json!({ "sub": "1", "groups": ["/registry"] }));
    assert_eq!(login.end("").status, 403);
}

#[test]
fn a_configuration_of_another_issuer_is_none() {
    let fake = Fake::start();
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("jwks_uri", json!("http://evil.example/keys")),
        ("authorization_endpoint", json!("http://evil.example/authorize")),
        ("authorization_endpoint", json!(null)),
    ] {
        let before = {
            let mut says = fake.says.lock().unwrap();
            let before = says.configuration.clone();
            says.configuration[name] = value.clone();
            before
        };
        let server = fake.registry();
        let page = Browser::new().get(&format!("http://{}/login/fake", server.address()));
        assert_eq!(page.status, 502, "{name} {value}: {}", page.text);
        fake.says.lock().unwrap().configuration = before;
    }
}

/// Nor the start of the registry, nor logins by a password.
#[test]
fn a_provider_that_is_away_keeps_nobody_else_out() {
    let mut fake = Fake::start();
    let server = fake.registry();
    let mut login = Login::begin(&server);
    fake.gives(&fake.sign(&fake.claims(&login.asked)));
    let address = fake.address().to_owned();
    fake.leave();
    let page = login.end("");
    assert_eq!((page.status, login.is_in()), (502, false), "{}", page.text);
    assert!(page.text.contains("type=\"password\""), "{}", page.text);
    // One that was never there.
    let server = fake.registry_with(&[("WHARF_LIMITS_TOKEN_REQUESTS", "")]);
    let url = format!("http://{}/login/fake", server.address());
    assert_eq!(Browser::new().get(&url).status, 502);
    let fake = Fake::start_on(TcpListener::bind(address).unwrap());
    wait_until("the provider is found again", Duration::from_secs(60), || {
        Browser::new().get(&url).is_redirect()
    });
    let mut login = Login::begin(&server);
    fake.gives(&fake.sign(&fake.claims(&login.asked)));
    assert!(login.end("").is_redirect() && login.is_in());
}
