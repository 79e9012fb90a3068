//! People with a browser, and devices that they let in: on nodes that issue tokens, where a configuration has everyone do
//! what they were granted.

use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio::sync::Semaphore;
use wharf_auth::admission::Admission;
use wharf_auth::browser_login::{BrowserLogins, MOST_ASKED};
use wharf_auth::device_login::DeviceAuthority;
use wharf_auth::issuer::documents::HttpDocuments;
use wharf_auth::issuer::keys::IssuerKeys;
use wharf_auth::login_guard::GuardRules;
use wharf_auth::oidc::claims::ClaimRules;
use wharf_auth::oidc::provider::{Provider, ProviderSettings};
use wharf_core::authority::{Authenticator, Secret};
use wharf_core::clock::{Clock, SystemClock, SystemRandom};
use wharf_core::metadata::{DeviceLogins, Identities, ProviderName, Sessions};
use wharf_http::api::Browsers;

use super::Node;
use crate::config::{Config, IssuerUrl, Text};

/// What is asked of a provider where nothing is said.
const SCOPES: &str = "openid profile email";

/// What of the database browsers and devices work on.
#[derive(Clone)]
pub struct People {
    pub identities: Arc<dyn Identities>,
    pub sessions: Arc<dyn Sessions>,
    pub devices: Arc<dyn DeviceLogins>,
}

/// Who serves browsers. `passwords` logs in by a password.
pub fn open(
    config: &Config,
    node: &Node,
    passwords: Arc<dyn Authenticator>,
) -> anyhow::Result<Browsers> {
    let people = node.people.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let admission = |rate| Admission {
        limiter: Arc::clone(&node.limiter),
        rate,
        exempt: config.limits.exempt_networks.iter().map(|network| network.get()).collect(),
    };
    let failures = config.limits.failed_logins.0.map(GuardRules::failures_of_client);
    let failures = admission(failures);
    let admission = Arc::new(admission(config.limits.token_requests.0));
    let login = BrowserLogins {
        passwords: config.browser.passwords.then_some(passwords),
        providers: providers(config, &clock)?,
        identities: people.identities,
        sessions: people.sessions,
        audit: node.audit.clone(),
        admission: Arc::clone(&admission),
        failures,
        asked: Semaphore::new(MOST_ASKED),
        life: config.browser.session_life.get(),
        idle: config.browser.session_idle.get(),
        random: Arc::new(SystemRandom),
    };
    let devices = DeviceAuthority {
        devices: people.devices,
        admission,
        token_life: config.browser.device_token_life.get(),
        random: Arc::new(SystemRandom),
    };
    Ok(Browsers { login: Arc::new(login), devices: Arc::new(devices) })
}

fn providers(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Vec<Provider>> {
    let mut issuers = config.oidc.issuer.all().peekable();
    if issuers.peek().is_none() {
        return Ok(Vec::new());
    }
    let http = Arc::new(HttpDocuments::new().context("oidc.issuer")?);
    issuers
        .map(|(name, issuer)| {
            let documents = Arc::clone(&http) as _;
            Ok(Provider {
                settings: settings(config, name, issuer)?,
                issuer: IssuerKeys::published(issuer.as_str(), documents, Arc::clone(clock)),
                endpoints: Arc::clone(&http) as _,
                clock: Arc::clone(clock),
            })
        })
        .collect()
}

fn settings(
    config: &Config,
    name: &ProviderName,
    issuer: &IssuerUrl,
) -> anyhow::Result<ProviderSettings> {
    let oidc = &config.oidc;
    let text = |value: Option<&Text>, default: &str| value.map_or(default, Text::as_str).to_owned();
    let usual = ClaimRules::default();
    let required = oidc.required_claims.of(name);
    let claims = ClaimRules {
        subject: text(oidc.subject_claim.get(name), &usual.subject),
        name: text(oidc.name_claim.get(name), &usual.name),
        groups: text(oidc.groups_claim.get(name), &usual.groups),
        required_groups: oidc.required_groups.of(name).cloned().collect(),
        required: required.map(|it| (it.claim.clone(), it.value.clone())).collect(),
    };
    Ok(ProviderSettings {
        name: name.clone(),
        label: text(oidc.label.get(name), name.as_str()),
        issuer: issuer.as_str().to_owned(),
        client_id: text(oidc.client_id.get(name), ""),
        client_secret: client_secret(config, name)?,
        scopes: text(oidc.scopes.get(name), SCOPES),
        claims,
        create_users: oidc.create_users.get(name) == Some(&true),
    })
}

fn client_secret(config: &Config, name: &ProviderName) -> anyhow::Result<Option<Secret>> {
    if let Some(hidden) = config.oidc.client_secret.get(name) {
        return Ok(Some(hidden.secret().clone()));
    }
    let Some(file) = config.oidc.client_secret_file.get(name) else { return Ok(None) };
    let read = std::fs::read_to_string(file.as_ref());
    let text = read.with_context(|| format!("oidc.client_secret_file: {file}"))?;
    let text = text.trim();
    ensure!(!text.is_empty(), "oidc.client_secret_file: {file} is empty");
    Ok(Some(Secret::new(text.to_owned())))
}
