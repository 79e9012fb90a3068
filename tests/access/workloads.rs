//! Workloads: a CI job pushes by its issuer's token, and no secret is stored anywhere.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::{House, bearer};
use crate::support::registry::{Reply, digest};

const SCOPE: &str = "repository:team/app:pull,push";

/// An issuer of this test's own, which publishes its configuration and the newest of its keys.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<KeyPair>>>,
}

impl Issuer {
    fn start() -> Issuer {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(vec![new_key()]));
        let (base, held) = (url.clone(), Arc::clone(&keys));
        thread::spawn(move || {
            for connection in socket.incoming() {
                let mut connection = connection.unwrap();
                let mut request = vec![0; 4096];
                let length = connection.read(&mut request).unwrap();
                let document = if request[..length].starts_with(b"GET /keys ") {
                    public(&held.lock().unwrap())
                } else {
                    json!({ "issuer": base, "jwks_uri": format!("{base}/keys") })
                };
                let body = document.to_string();
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
                write!(connection, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        Issuer { url, keys }
    }

    /// The token of a job on the main branch of `team/app`, but for these claims.
    fn token(&self, changes: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": self.url, "aud": "wharf", "sub": "repo:team/app:ref:refs/heads/main",
            "repository": "team/app", "ref": "refs/heads/main", "exp": now + 60, "nbf": now,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let keys = self.keys.lock().unwrap();
        let header = Header { kid: Some(keys.len().to_string()), ..Header::new(Algorithm::ES256) };
        let signing = EncodingKey::from_ec_der(keys.last().unwrap().serialized_der());
        jsonwebtoken::encode(&header, &claims, &signing).unwrap()
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn public(keys: &[KeyPair]) -> Value {
    let keys = keys.iter().enumerate().map(|(index, key)| {
        let point = key.public_key_raw();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({ "kty": "EC", "crv": "P-256", "kid": (index + 1).to_string(), "x": x, "y": y })
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

/// A registry that trusts jobs of the main branch of `team/app`, whose robot has no secret.
fn start(issuer: &Issuer) -> House {
    let house = House::start_with(&[("WHARF_WORKLOADS_ISSUERS", &issuer.url)]);
    assert_eq!(house.admin(&["robot", "team+ci", "--no-secret"]), "");
    house.admin(&["grant", "team", "write", "--to", "robot:ci", "--on", "team/app"]);
    let [repository, branch] = ["repository=team/app", "ref=refs/heads/main"];
    let issued_by = ["trust", "team+ci", "--issuer", &issuer.url];
    house.admin(&[&issued_by[..], &["--claim", repository, "--claim", branch]].concat());
    house
}

fn form(house: &House, form: &str) -> Reply {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    house.registry.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap()
}

fn exchange(house: &House, token: &str) -> Reply {
    let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
    let kind = "urn:ietf:params:oauth:token-type:jwt";
    let robot = "username=team%2Bci&access_type=offline";
    form(
        house,
        &format!(
            "grant_type={grant}&subject_token_type={kind}&subject_token={token}&{robot}&scope={SCOPE}"
        ),
    )
}

#[test]
fn a_job_pushes_with_no_secret_that_is_stored() {
    let issuer = Issuer::start();
    let house = start(&issuer);
    let said = house.ask_for_token("team+ci", &issuer.token(json!({})), SCOPE);
    assert_eq!(said.json()["scope"], SCOPE, "{}", said.text());
    assert!(said.json()["expires_in"].as_u64().unwrap() <= 60, "{}", said.text());
    let bearer = bearer(said.json()["token"].as_str().unwrap());
    let opened = house.ask(Method::POST, "/v2/team/app/blobs/uploads/", &bearer);
    let target = format!("{}?digest={}", opened.header("Location").unwrap(), digest(b"layer"));
    let headers = [("Authorization", bearer.as_str())];
    let closed = house.registry.send(Method::PUT, &target, &headers, Some(b"layer")).unwrap();
    assert_eq!(closed.status, 201, "{}", closed.text());
    let elsewhere = house.ask_for_token(
        "team+ci",
        &issuer.token(json!({})),
        "repository:team/private:pull,push",
    );
    assert_eq!(elsewhere.json()["scope"], "");
}

#[test]
fn who_meets_no_rule_is_told_no_more_than_that_the_login_failed() {
    let issuer = Issuer::start();
    let house = start(&issuer);
    let wrong = house.ask_for_token("team+ci", "wrong", SCOPE);
    assert_eq!(wrong.status, 401);
    for changes in [
        json!({ "ref": "refs/heads/other" }),
        json!({ "ref": "refs/pull/7/merge" }),
        json!({ "repository": "stranger/app" }),
        json!({ "repository": "team/app-fork" }),
        json!({ "aud": "other" }),
        json!({ "iss": "https://other.example" }),
        json!({ "exp": 1 }),
        json!({ "nbf": u32::MAX }),
    ] {
        let token = issuer.token(changes.clone());
        for refused in [house.ask_for_token("team+ci", &token, SCOPE), exchange(&house, &token)] {
            assert_eq!(refused.status, 401, "{changes}");
            assert_eq!(refused.json()["errors"][0]["code"], wrong.json()["errors"][0]["code"]);
            assert_eq!(
                refused.json()["errors"][0]["message"],
                wrong.json()["errors"][0]["message"]
            );
        }
    }
    let good = issuer.token(json!({}));
    for name in ["team+other", "ada", "other+ci"] {
        assert_eq!(house.ask_for_token(name, &good, SCOPE).status, 401, "{name}");
    }
    assert!(!house.server.log().contains(&good));
}

#[test]
fn what_a_job_got_ends_with_its_rule() {
    let issuer = Issuer::start();
    let house = start(&issuer);
    let said = exchange(&house, &issuer.token(json!({})));
    assert_eq!(said.status, 200, "{}", said.text());
    let refresh = said.json()["refresh_token"].as_str().unwrap().to_owned();
    let again = format!("grant_type=refresh_token&refresh_token={refresh}&scope={SCOPE}");
    assert_eq!(form(&house, &again).json()["scope"], SCOPE);
    let rules = house.admin(&["trust", "team+ci"]);
    let (id, rule) = rules.split_once(": ").unwrap();
    let stated = "for wharf: ref=refs/heads/main repository=team/app";
    assert_eq!(rule, format!("{} {stated}", issuer.url));
    house.admin(&["trust", "team+ci", "--remove", id]);
    assert_eq!(form(&house, &again).status, 401);
    assert_eq!(exchange(&house, &issuer.token(json!({}))).status, 401);
}
