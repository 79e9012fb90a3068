//! What people do at the real provider, and the settings of registries that trust it.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use serde_json::Value;
use wharf_engines::{OIDC_BASIC_SECRET, OIDC_POST_SECRET};

use crate::browser::{Browser, Page};

/// Settings by which each client of the real provider is a provider of its own.
pub fn providers() -> Vec<(&'static str, String)> {
    let each =
        |value: &str| ["basic", "post", "public"].map(|name| format!("{name}={value}")).join(",");
    vec![
        ("WHARF_ACCESS_CONTROL", "true".into()),
        ("WHARF_OIDC_ISSUER", each(&wharf_engines::oidc())),
        ("WHARF_OIDC_CLIENT_ID", "basic=basic,post=post,public=public".into()),
        ("WHARF_OIDC_CLIENT_SECRET", format!("basic={OIDC_BASIC_SECRET},post={OIDC_POST_SECRET}")),
        ("WHARF_OIDC_LABEL", "basic=Example <Inc>".into()),
        ("WHARF_OIDC_SCOPES", each("openid profile email groups")),
        ("WHARF_OIDC_CREATE_USERS", each("true")),
    ]
}

/// Logs in at the provider that a page leads to, and lets it send the browser back to the registry: where to. A browser
/// that is logged in there goes on as whoever that is.
pub fn at_provider(browser: &mut Browser, registry: &str, begun: Page, who: &str) -> String {
    let (end, mut page) = (format!("{registry}/login/"), begun);
    for _ in 0..20 {
        page = match page.is_redirect() {
            true if page.location().starts_with(&end) => return page.location(),
            true => browser.get(&page.location()),
            false if page.text.contains("name=\"login\"") => {
                browser.submit(&page, &[("login", who), ("password", "any")])
            }
            false => browser.submit(&page, &[]),
        };
    }
    panic!("the provider sends nobody back: {}", page.text);
}

/// Logs in at a provider, from the button on.
pub fn log_in(browser: &mut Browser, registry: &str, provider: &str, who: &str) -> Page {
    let begun = browser.get(&format!("{registry}/login/{provider}"));
    let back = at_provider(browser, registry, begun, who);
    browser.open(&back)
}

/// The token that a device gets which somebody lets in who logs in at a provider, and their name.
pub fn device_token(registry: &str, provider: &str, who: &str) -> (String, String) {
    let mut device = Browser::new();
    let mut ask = |path: &str, form: &[(&str, &str)]| -> Value {
        let form: Vec<_> =
            form.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let said = device.post(&format!("{registry}{path}"), &[], &form);
        assert_eq!(said.status, 200, "{}", said.text);
        serde_json::from_str(&said.text).unwrap()
    };
    let begun = ask("/oauth2/device", &[("client_id", "test")]);
    let mut browser = Browser::new();
    log_in(&mut browser, registry, provider, who);
    let form = browser.open(&format!("{registry}/device"));
    let asked = browser.submit(&form, &[("user_code", begun["user_code"].as_str().unwrap())]);
    let done = browser.submit(&asked, &[("answer", "allow")]);
    assert!(done.text.contains("The device is let in"), "{}", done.text);
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let code = begun["device_code"].as_str().unwrap();
    let granted = ask("/oauth2/token", &[("grant_type", grant), ("device_code", code)]);
    let text = |name: &str| granted[name].as_str().unwrap().to_owned();
    (text("user"), text("access_token"))
}
