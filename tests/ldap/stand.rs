//! A registry whose people are in a directory.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::house::House;
use crate::support::registry::Reply;
use crate::support::slapd::{MemberOf, SERVICE, SERVICE_PASSWORD, SUFFIX, Slapd};

/// The password of `lin` in the directory. It is shorter than passwords here may be, and none of this registry's business.
pub const PASSWORD: &str = "lin's own";

pub const SCOPE: &str = "repository:team/private:pull";

/// Settings as environment variables.
pub type Settings = Vec<(&'static str, String)>;

/// A registry and a directory with `lin` in it.
pub struct Stand {
    pub house: House,
    pub slapd: Slapd,
}

impl Stand {
    pub fn start(changes: &[(&'static str, &str)]) -> Stand {
        let slapd = Slapd::start(MemberOf::Direct);
        slapd.person("lin", PASSWORD);
        Stand::before(slapd, changes)
    }

    /// A registry before this directory. It asks it each time, but for `changes`.
    pub fn before(slapd: Slapd, changes: &[(&'static str, &str)]) -> Stand {
        let settings = settings(&slapd, changes);
        Stand { house: house(&settings), slapd }
    }

    pub fn log_in(&self, name: &str, password: &str) -> Reply {
        self.house.ask_for_token(name, password, SCOPE)
    }

    /// Who is let in by a name and a password.
    pub fn user(&self, name: &str, password: &str) -> String {
        subject(&self.log_in(name, password))
    }

    /// How many binds of an entry the directory has been asked for.
    pub fn binds(&self, dn: &str) -> usize {
        self.slapd.log().matches(&format!("BIND dn=\"{dn}\" method=128")).count()
    }
}

pub fn settings(slapd: &Slapd, changes: &[(&'static str, &str)]) -> Settings {
    let mut settings: Settings = [
        ("WHARF_LDAP_URLS", slapd.url().as_str()),
        ("WHARF_LDAP_PLAINTEXT", "true"),
        ("WHARF_LDAP_BASE", SUFFIX),
        ("WHARF_LDAP_BIND_DN", SERVICE),
        ("WHARF_LDAP_BIND_PASSWORD", SERVICE_PASSWORD),
        ("WHARF_LDAP_REMEMBER", "0s"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec();
    for (name, value) in changes {
        settings.retain(|(known, _)| known != name);
        settings.push((name, (*value).to_owned()));
    }
    settings
}

pub fn house(settings: &Settings) -> House {
    let borrowed: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    House::start_with(&borrowed)
}

/// Whose a token is that was issued.
pub fn subject(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = reply.json();
    let claims = reply["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["sub"].as_str().unwrap().to_owned()
}
