//! TLS to the directory, and where it is wanted and not to be had.

use std::fs;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::stand::{PASSWORD, Settings, Stand, settings};
use crate::support::program::attempt;
use crate::support::server::program;
use crate::support::slapd::{MemberOf, Slapd};

fn slapd() -> (Slapd, String, String) {
    let slapd = Slapd::start(MemberOf::Direct);
    slapd.person("lin", PASSWORD);
    let (ca, tls) = (slapd.ca().display().to_string(), slapd.tls_url());
    (slapd, ca, tls)
}

#[test]
fn passwords_go_over_tls_from_the_first_byte() {
    let (slapd, ca, url) = slapd();
    let changes = [
        ("WHARF_LDAP_URLS", url.as_str()),
        ("WHARF_LDAP_CA_FILE", &ca),
        ("WHARF_LDAP_PLAINTEXT", "false"),
    ];
    let stand = Stand::before(slapd, &changes);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    let asked = stand.slapd.log();
    assert!(asked.contains("TLS established"), "{asked}");
    assert!(!asked.contains("STARTTLS"), "{asked}");
}

#[test]
fn tls_begins_before_anything_is_said() {
    let (slapd, ca, _) = slapd();
    let changes = [
        ("WHARF_LDAP_START_TLS", "true"),
        ("WHARF_LDAP_CA_FILE", ca.as_str()),
        ("WHARF_LDAP_PLAINTEXT", "false"),
    ];
    let stand = Stand::before(slapd, &changes);
    let before = stand.slapd.log().len();
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    let asked = stand.slapd.log()[before..].to_owned();
    let at = |what: &str| asked.find(what).unwrap_or_else(|| panic!("no {what} in {asked}"));
    assert!(
        at("STARTTLS") < at("TLS established") && at("TLS established") < at("BIND"),
        "{asked}"
    );
}

/// Nobody is told a password who cannot show who they are.
#[test]
fn a_server_that_nobody_vouches_for_is_told_nothing() {
    let folder = TempDir::new().unwrap();
    let other = folder.path().join("other.pem");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    fs::write(&other, params.self_signed(&key).unwrap().pem()).unwrap();
    let other = other.display().to_string();
    for start_tls in ["false", "true"] {
        let (slapd, _, tls) = slapd();
        let url = if start_tls == "true" { slapd.url() } else { tls };
        let changes = [
            ("WHARF_LDAP_URLS", url.as_str()),
            ("WHARF_LDAP_START_TLS", start_tls),
            ("WHARF_LDAP_CA_FILE", &other),
            ("WHARF_LDAP_PLAINTEXT", "false"),
        ];
        let stand = Stand::before(slapd, &changes);
        let before = stand.slapd.log().len();
        assert_eq!(stand.log_in("lin", PASSWORD).status, 503);
        let asked = &stand.slapd.log()[before..];
        assert!(!asked.contains("BIND") && !asked.contains("SRCH"), "{asked}");
        let said = stand.house.server.log();
        assert!(said.contains("certificate"), "{said}");
    }
}

/// What `wharf config check` says of settings.
fn checked(settings: &Settings) -> Result<String, String> {
    let mut command = Command::new(program());
    command.args(["config", "check"]).env("WHARF_ACCESS_CONTROL", "true");
    command.envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
    attempt(&mut command)
}

#[test]
fn settings_that_do_not_go_together_are_told() {
    let (slapd, _, tls) = slapd();
    for (changes, told) in [
        (&[("WHARF_LDAP_PLAINTEXT", "false")][..], "ldap.plaintext"),
        (&[("WHARF_LDAP_BASE", "")], "ldap.base"),
        (&[("WHARF_LDAP_BIND_PASSWORD", "")], "ldap.bind_password_file"),
        (&[("WHARF_LDAP_BIND_DN", "")], "ldap.bind_dn"),
        (&[("WHARF_LDAP_BIND_PASSWORD_FILE", "/etc/x")], "both set"),
        (&[("WHARF_LDAP_FILTER", "(uid=lin)")], "no place"),
        (&[("WHARF_LDAP_FILTER", "(uid={name}")], "no filter"),
        (&[("WHARF_LDAP_FILTER", "(member={dn})")], "{name}"),
        (&[("WHARF_LDAP_URLS", "ldap://u:p@h")], "ldaps://HOST"),
    ] {
        let said = checked(&settings(&slapd, changes)).unwrap_err();
        // Behind the command and its environment.
        let (_, said) = said.split_once("exit status").unwrap();
        assert!(said.contains(told), "{changes:?}: {said}");
        assert!(!said.contains("the-service-reads"), "{said}");
    }
    checked(&settings(&slapd, &[])).unwrap();
    let tls = [("WHARF_LDAP_URLS", tls.as_str()), ("WHARF_LDAP_PLAINTEXT", "false")];
    checked(&settings(&slapd, &tls)).unwrap();
    let mut show = Command::new(program());
    show.args(["config", "show"]).env("WHARF_ACCESS_CONTROL", "true");
    show.envs(settings(&slapd, &[]).iter().map(|(name, value)| (*name, value.as_str())));
    let shown = attempt(&mut show).unwrap();
    assert!(shown.contains("bind_password = \"***\""), "{shown}");
    assert!(!shown.contains("the-service-reads"), "{shown}");
}

/// Loudly, each time it starts.
#[test]
fn passwords_in_the_clear_are_warned_of_and_the_service_password_may_be_in_a_file() {
    let (slapd, ..) = slapd();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "the-service-reads\n").unwrap();
    let file = file.display().to_string();
    let changes =
        [("WHARF_LDAP_BIND_PASSWORD", ""), ("WHARF_LDAP_BIND_PASSWORD_FILE", file.as_str())];
    let stand = Stand::before(slapd, &changes);
    assert!(stand.house.server.log().contains("IN THE CLEAR"), "{}", stand.house.server.log());
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
}
