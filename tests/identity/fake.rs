//! An identity provider of the tests' own, for what a real one will not do: lie, fail, and go away.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use crate::browser::{Browser, Page, encoded, parameter};
use crate::support::server::Server;

/// What it answers, which a test may change at any time.
pub struct Says {
    /// A status and a body for each path.
    pub token: (u16, String),
    pub userinfo: (u16, Value),
    pub configuration: Value,
    keys: Value,
    /// The last form that it was sent, with the `Authorization` header before it.
    pub asked: String,
}

pub struct Fake {
    pub url: String,
    pub says: Arc<Mutex<Says>>,
    pub key: KeyPair,
    away: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Fake {
    pub fn start() -> Fake {
        Fake::start_on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn start_on(socket: TcpListener) -> Fake {
        let url = format!("http://{}", socket.local_addr().unwrap());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let says = Arc::new(Mutex::new(Says {
            token: (500, String::new()),
            userinfo: (404, json!({})),
            configuration: json!({
                "issuer": url,
                "jwks_uri": format!("{url}/keys"),
                "authorization_endpoint": format!("{url}/authorize?tenant=1"),
                "token_endpoint": format!("{url}/token"),
            }),
            keys: json!({ "keys": [public(&key)] }),
            asked: String::new(),
        }));
        let away = Arc::new(AtomicBool::new(false));
        let (told, leaves) = (Arc::clone(&says), Arc::clone(&away));
        let serving = thread::spawn(move || {
            for connection in socket.incoming() {
                if leaves.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever breaks off is not served.
                let _ = serve(connection.unwrap(), &told);
            }
        });
        Fake { url, says, key, away, serving: Some(serving) }
    }

    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Nobody listens there any more when this returns.
    pub fn leave(&mut self) {
        if let Some(serving) = self.serving.take() {
            self.away.store(true, Ordering::SeqCst);
            // Wakes it.
            let _ = TcpStream::connect(self.address());
            serving.join().unwrap();
        }
    }

    /// A registry at which people log in here, and by a password.
    pub fn registry(&self) -> Server {
        self.registry_with(&[])
    }

    pub fn registry_with(&self, settings: &[(&str, &str)]) -> Server {
        let issuer = format!("fake={}", self.url);
        let providers = [
            ("WHARF_ACCESS_CONTROL", "true"),
            ("WHARF_OIDC_ISSUER", issuer.as_str()),
            ("WHARF_OIDC_CLIENT_ID", "fake=wharf"),
            ("WHARF_OIDC_CLIENT_SECRET", "fake=a secret of the client"),
            ("WHARF_OIDC_CREATE_USERS", "fake=true"),
        ];
        Server::start_with(&[&providers, settings].concat())
    }

    /// The claims of Eve, who answers the question that a browser was sent with.
    pub fn claims(&self, asked: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        json!({
            "iss": self.url, "aud": "wharf", "sub": "1", "preferred_username": "eve",
            "nonce": parameter(asked, "nonce").unwrap(), "iat": now, "exp": now + 60,
        })
    }

    pub fn sign(&self, claims: &Value) -> String {
        sign(&self.key, claims)
    }

    /// What its token end-point answers from now on.
    pub fn gives(&self, id_token: &str) {
        let answer =
            json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": id_token });
        self.says.lock().unwrap().token = (200, answer.to_string());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A login at the fake provider as far as it goes: who begins it, and where they were sent.
pub struct Login {
    pub browser: Browser,
    pub asked: String,
    callback: String,
}

impl Login {
    pub fn begin(server: &Server) -> Login {
        Login::begin_with(server, "")
    }

    /// With this query.
    pub fn begin_with(server: &Server, query: &str) -> Login {
        let mut browser = Browser::new();
        let url = |path: &str| format!("http://{}{path}", server.address());
        let begun = browser.get(&url(&format!("/login/fake{query}")));
        let asked = begun.location();
        Login { browser, asked, callback: url("/login/fake/callback") }
    }

    /// The provider sends the browser back, with a code and whatever else.
    pub fn end(&mut self, more: &str) -> Page {
        let state = parameter(&self.asked, "state").unwrap();
        let url = format!("{}?code=a%20code&state={state}{more}", self.callback);
        self.browser.get(&url)
    }

    /// Whether the browser is logged in.
    pub fn is_in(&self) -> bool {
        self.browser.cookie("wharf-session").is_some()
    }
}

/// A token of these claims, by the key that is called `1`.
pub fn sign(key: &KeyPair, claims: &Value) -> String {
    let header = Header { kid: Some("1".into()), ..Header::new(Algorithm::ES256) };
    let key = EncodingKey::from_ec_der(key.serialized_der());
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// A public key as it is published.
pub fn public(key: &KeyPair) -> Value {
    let point = key.public_key_raw();
    let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
    json!({ "kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": y })
}

/// Answers one request.
fn serve(connection: TcpStream, says: &Mutex<Says>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&connection);
    let (mut first, mut length, mut authorization) = (String::new(), 0, String::new());
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "" => break,
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => authorization = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form)?;
    let mut says = says.lock().unwrap();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match path {
        "/.well-known/openid-configuration" => (200, says.configuration.to_string()),
        "/keys" => (200, says.keys.to_string()),
        "/token" => {
            says.asked = format!("{authorization}\n{}", String::from_utf8_lossy(&form));
            says.token.clone()
        }
        "/userinfo" => {
            says.asked = authorization;
            (says.userinfo.0, says.userinfo.1.to_string())
        }
        _ => (404, String::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nLocation: /token\r\nConnection: close\r\n");
    write!(&connection, "{head}Content-Length: {length}\r\n\r\n{body}")
}

/// What a client that has a secret says who it is.
pub fn basic(name: &str, secret: &str) -> String {
    let both = format!("{}:{}", encoded(name), encoded(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
}
