//! Devices that a person lets in (RFC 8628): what they are told, and that the client of this repository understands it.

use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use wharf_client::management::{DeviceError, DeviceToken};
use wharf_client::{Client, ClientOptions, Credentials, KnownCredentials};
use wharf_oci::Reference;

use crate::browser::{Browser, Page};
use crate::house::{PASSWORD, basic};
use crate::stand::Stand;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a device keeps, and what its person types.
struct Device {
    code: String,
    user_code: String,
    begun: Value,
}

impl Device {
    fn begin(stand: &Stand, client: &str) -> Device {
        Device::begin_for(stand, client, "")
    }

    /// One that asks to be good for something.
    fn begin_for(stand: &Stand, client: &str, scope: &str) -> Device {
        let page = Device::ask_to_begin(stand, client, scope);
        assert_eq!(page.status, 200, "{}", page.text);
        assert_eq!(page.header("Cache-Control"), "no-store");
        let begun: Value = serde_json::from_str(&page.text).unwrap();
        let text = |name: &str| begun[name].as_str().unwrap().to_owned();
        Device { code: text("device_code"), user_code: text("user_code"), begun }
    }

    fn ask_to_begin(stand: &Stand, client: &str, scope: &str) -> Page {
        let form = [("client_id", client), ("scope", scope)];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Browser::new().post(&stand.url("/oauth2/device"), &[], &form)
    }

    /// What it is told: the status, and the error or the token.
    fn ask(&self, stand: &Stand) -> (u16, Value) {
        ask(stand, GRANT, &self.code)
    }

    fn error(&self, stand: &Stand) -> String {
        let (status, said) = self.ask(stand);
        assert_eq!(status, 400, "{said}");
        said["error"].as_str().unwrap().to_owned()
    }

    /// A person types the code, and sees what asks.
    fn typed(&self, stand: &Stand, browser: &mut Browser) -> Page {
        type_code(stand, browser, &self.user_code)
    }
}

fn ask(stand: &Stand, grant: &str, code: &str) -> (u16, Value) {
    let form = [("grant_type", grant), ("device_code", code), ("client_id", "test")];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let page = Browser::new().post(&stand.url("/oauth2/token"), &[], &form);
    assert_eq!(page.header("Cache-Control"), "no-store");
    (page.status, serde_json::from_str(&page.text).unwrap())
}

fn type_code(stand: &Stand, browser: &mut Browser, code: &str) -> Page {
    let form = browser.open(&stand.url("/device"));
    assert_eq!(form.status, 200, "{}", form.text);
    browser.submit(&form, &[("user_code", code)])
}

fn ada(stand: &Stand) -> Browser {
    let mut browser = Browser::new();
    assert!(stand.by_password(&mut browser, "ada", PASSWORD).is_redirect());
    browser
}

/// From a command line to a private image, with a person who logs in at a provider in between.
#[test]
fn a_device_that_is_let_in_pulls_what_its_person_may() {
    let stand = Stand::start();
    stand.admin(&["team", "team", "devs"]);
    stand.admin(&["grant", "team", "read", "--to", "team:devs", "--on", "team/private"]);
    stand.admin(&["groups", "team", "devs", "--add", "basic=/devs"]);
    let device = Device::begin(&stand, "wharf login (eve@laptop)");
    assert_eq!(device.begun["verification_uri"], stand.url("/device"));
    assert_eq!(device.begun["interval"], 5);
    assert_eq!(device.error(&stand), "authorization_pending");
    // The person follows the link, and is sent to log in first.
    let mut browser = Browser::new();
    let link = device.begun["verification_uri_complete"].as_str().unwrap();
    let page = browser.open(link);
    assert!(page.text.contains("Log in by"), "{}", page.text);
    let (_, button) = page.text.split_once("href=\"").unwrap();
    let button = button.split('"').next().unwrap().replace("&amp;", "&");
    let begun = browser.get(&stand.url(&button));
    let back = stand.at_provider(&mut browser, begun, "eve:/devs");
    let form = browser.open(&back);
    assert_eq!(form.field("user_code"), device.user_code);
    let asked = browser.submit(&form, &[("user_code", &device.user_code)]);
    for shown in [
        "wharf login (eve@laptop)",
        "127.0.0.1",
        "wants to pull and push as <strong>eve</strong>, for 90 days.",
    ] {
        assert!(asked.text.contains(shown), "{}", asked.text);
    }
    let done = browser.submit(&asked, &[("answer", "allow")]);
    assert!(done.text.contains("The device is let in as eve"), "{}", done.text);
    let (status, granted) = device.ask(&stand);
    assert_eq!((status, &granted["user"]), (200, &"eve".into()), "{granted}");
    assert_eq!(granted["token_type"], "Bearer");
    let secret = granted["access_token"].as_str().unwrap();
    assert!(secret.starts_with("wharf_pat_"), "{secret}");
    let scope = "repository:team/private:pull,push";
    let said = stand.ask_for_token("eve", secret, scope);
    assert_eq!(said.json()["scope"], "repository:team/private:pull", "{}", said.text());
    let bearer = format!("Bearer {}", said.json()["token"].as_str().unwrap());
    let pulled = stand.ask(ureq::http::Method::GET, "/v2/team/private/manifests/v1", &bearer);
    assert_eq!(pulled.status, 200, "{}", pulled.text());
    // Shown once.
    assert_eq!(device.error(&stand), "expired_token");
    let made = stand.audited("token.create");
    assert_eq!(made, ["user:eve 127.0.0.1 user:eve done role=write kind=personal"]);
    let allowed = "user:eve 127.0.0.1 user:eve done role=write address=127.0.0.1 client=wharf_login_(eve@laptop)";
    assert_eq!(stand.audited("device.allow"), [allowed]);
    assert!(
        !stand.server.log().contains(secret) && !stand.server.log().contains(&device.user_code)
    );
}

#[test]
fn a_device_that_is_refused_or_hurries_gets_nothing() {
    let stand = Stand::start();
    let mut browser = ada(&stand);
    let device = Device::begin(&stand, "test");
    assert_eq!(device.error(&stand), "authorization_pending");
    assert_eq!(device.error(&stand), "slow_down");
    let asked = device.typed(&stand, &mut browser);
    let done = browser.submit(&asked, &[("answer", "refuse")]);
    assert!(done.text.contains("was not let in"), "{}", done.text);
    let refused = "user:ada 127.0.0.1 user:ada done role=write address=127.0.0.1 client=test";
    assert_eq!(stand.audited("device.refuse"), [refused]);
    assert_eq!(stand.audited("device.allow"), [""; 0]);
    assert_eq!(device.error(&stand), "access_denied");
    assert_eq!(device.error(&stand), "expired_token");
    // Nobody decides twice, or for what is over.
    assert_eq!(device.typed(&stand, &mut browser).status, 404);
    assert_eq!(stand.audited("token.create"), [""; 0]);
    for (grant, code, error) in [
        ("password", device.code.as_str(), "unsupported_grant_type"),
        ("", "", "unsupported_grant_type"),
        (GRANT, "", "expired_token"),
        (GRANT, &"0".repeat(64), "expired_token"),
        (GRANT, &device.user_code, "expired_token"),
    ] {
        let (status, said) = ask(&stand, grant, code);
        assert_eq!((status, &said["error"]), (400, &error.into()), "{grant} {code}");
    }
}

/// Neither by one who is disabled after all.
#[test]
fn a_device_is_let_in_by_its_person_alone() {
    let stand = Stand::start();
    let mut browser = ada(&stand);
    let device = Device::begin(&stand, "test");
    // Nobody is logged in here.
    let nobody = Browser::new().get(&stand.url("/device"));
    assert_eq!(nobody.location(), stand.url("/login?return_to=%2Fdevice"));
    let asked = device.typed(&stand, &mut browser);
    browser.submit(&asked, &[("answer", "allow")]);
    stand.admin(&["grant", "team", "admin", "--to", "user:keeper"]);
    stand.admin(&["disable", "ada"]);
    assert_eq!(device.error(&stand), "access_denied");
    assert_eq!(stand.who(&mut browser), None);
}

/// And an administrator is told what that would be.
#[test]
fn a_device_gets_what_its_person_was_shown_and_no_more() {
    let stand = Stand::start_with(&[("WHARF_BROWSER_DEVICE_TOKEN_LIFE", "36h")]);
    let mut browser = Browser::new();
    assert!(stand.by_password(&mut browser, "root", PASSWORD).is_redirect());
    for (scope, wants, warning, manages) in [
        ("read", "wants to pull as", "do so in every repository", 403),
        ("", "wants to pull and push as", "do so in every repository", 403),
        ("maintain", "wants to pull, push and delete as", "do so in every repository", 403),
        (
            "admin",
            "wants to do all that you may, and change who else may what, as",
            "of every account",
            200,
        ),
    ] {
        let device = Device::begin_for(&stand, "test", scope);
        let asked = device.typed(&stand, &mut browser);
        for shown in [wants, "for 36 hours", "You are an administrator", warning] {
            assert!(asked.text.contains(shown), "{scope}: {}", asked.text);
        }
        browser.submit(&asked, &[("answer", "allow")]);
        let (status, granted) = device.ask(&stand);
        let role = if scope.is_empty() { "write" } else { scope };
        assert_eq!((status, &granted["scope"]), (200, &role.into()), "{granted}");
        let login = basic("root", granted["access_token"].as_str().unwrap());
        let users = stand.ask(ureq::http::Method::GET, "/api/v1/users", &login);
        assert_eq!(users.status, manages, "{scope}: {}", users.text());
    }
    // Others have no such thing to be told of.
    let device = Device::begin_for(&stand, "test", "admin");
    let asked = device.typed(&stand, &mut ada(&stand));
    assert!(!asked.text.contains("You are an administrator"), "{}", asked.text);
    let refused = Device::ask_to_begin(&stand, "test", "everything");
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("invalid_scope"), "{}", refused.text);
}

/// And with it what the device made by its token.
#[test]
fn what_a_device_has_ends_with_the_identity_of_its_person() {
    let stand = Stand::start();
    let mut browser = stand.logged_in("basic", "eve");
    let device = Device::begin_for(&stand, "test", "admin");
    let asked = device.typed(&stand, &mut browser);
    browser.submit(&asked, &[("answer", "allow")]);
    let (status, granted) = device.ask(&stand);
    assert_eq!(status, 200, "{granted}");
    let own = granted["access_token"].as_str().unwrap().to_owned();
    let new = r#"{"name":"for ever","role":"read"}"#;
    let login = basic("eve", &own);
    let headers = [("Authorization", login.as_str()), ("Content-Type", "application/json")];
    let (post, target) = (ureq::http::Method::POST, "/api/v1/users/eve/tokens");
    let made = stand.registry.send(post, target, &headers, Some(new.as_bytes())).unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    let secrets = [own, made.json()["secret"].as_str().unwrap().to_owned()];
    let asks = |secret: &str| stand.ask_for_token("eve", secret, "repository:eve/app:pull").status;
    assert_eq!(secrets.each_ref().map(|secret| asks(secret)), [200, 200]);
    stand.admin(&["identity", "eve", "--unlink", "basic"]);
    assert_eq!(secrets.each_ref().map(|secret| asks(secret)), [401, 401]);
}

/// Before the device has asked for its token.
#[test]
fn another_password_ends_what_was_let_in() {
    let stand = Stand::start();
    let mut browser = ada(&stand);
    let device = Device::begin(&stand, "test");
    let asked = device.typed(&stand, &mut browser);
    browser.submit(&asked, &[("answer", "allow")]);
    stand.admin(&["password", "ada", "--password-stdin"]);
    assert_eq!(device.error(&stand), "access_denied");
}

#[test]
fn a_code_is_not_guessed() {
    let stand = Stand::start();
    let mut browser = ada(&stand);
    let device = Device::begin(&stand, "test");
    let wrong = |number: usize| format!("BBBB-BBB{}", b"BCDFGHJKLMNPQRSTVWXZ"[number] as char);
    for number in 0..10 {
        assert_eq!(type_code(&stand, &mut browser, &wrong(number)).status, 404);
    }
    let refused = device.typed(&stand, &mut browser);
    assert_eq!(refused.status, 429, "{}", refused.text);
    // What is no code at all tells nothing.
    assert_eq!(type_code(&stand, &mut browser, "AAAA").status, 400);
    let mut other = ada(&stand);
    assert_eq!(device.typed(&stand, &mut other).status, 200);
}

#[test]
fn an_address_has_a_bounded_number_of_devices_and_of_questions() {
    let stand = Stand::start_with(&[("WHARF_LIMITS_TOKEN_REQUESTS", "25/1h")]);
    for _ in 0..20 {
        Device::begin(&stand, "test");
    }
    let client = [("client_id".to_owned(), "test".to_owned())];
    let many = Browser::new().post(&stand.url("/oauth2/device"), &[], &client);
    assert_eq!(many.status, 429, "{}", many.text);
    assert!(!many.header("Retry-After").is_empty());
    let mut statuses = (0..5).map(|_| ask(&stand, GRANT, "").0).collect::<Vec<_>>();
    statuses.dedup();
    assert_eq!(statuses, [400, 429]);
}

/// The client that other programs are built on, against the registry itself.
#[test]
fn the_client_of_this_repository_logs_in() {
    let stand = Stand::start();
    let runtime = Runtime::new().unwrap();
    let client = Client::new(ClientOptions::default()).unwrap();
    let host = stand.server.address().parse().unwrap();
    let management = client.registry(&host).management();
    let wait = |answer: &str| -> Result<DeviceToken, DeviceError> {
        let code = runtime.block_on(management.begin_device_login("wharf login", "write")).unwrap();
        assert!(!format!("{code:?}").contains("device_code: \""), "{code:?}");
        assert_eq!(code.verification_uri, stand.url("/device"));
        let mut browser = ada(&stand);
        let asked = type_code(&stand, &mut browser, &code.user_code);
        assert!(asked.text.contains("wharf login"), "{}", asked.text);
        browser.submit(&asked, &[("answer", answer)]);
        let end = management.end_device_login("wharf login", &code);
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(60), end).await })
            .unwrap()
    };
    let granted = wait("allow").unwrap();
    assert_eq!(granted.user.as_deref(), Some("ada"));
    // With the token in place of the password, it pulls what its person may.
    let mut credentials = KnownCredentials::default();
    credentials.insert(&host, Credentials { username: "ada".into(), password: granted.token });
    let options = ClientOptions { credentials, ..ClientOptions::default() };
    let repository = Client::new(options).unwrap().registry(&host);
    let repository = repository.repository(&"team/private".parse().unwrap());
    let tag = Reference::Tag("v1".parse().unwrap());
    runtime.block_on(repository.manifest(&tag)).unwrap();
    let refused = wait("refuse").unwrap_err();
    assert!(matches!(refused, DeviceError::Denied(_)), "{refused}");
}
