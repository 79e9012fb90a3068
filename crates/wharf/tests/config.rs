//! Settings as people meet them: layers, messages, `config check` and `config show`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config_process;

use std::path::Path;

use config_process::{run, wharf};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs `wharf config show` with a file, variables and flags.
fn show(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> (i32, String, String) {
    let folder = folder();
    std::fs::write(folder.path().join("wharf.toml"), file).unwrap();
    let arguments = [&["config", "show", "--config", "wharf.toml"], flags].concat();
    run(wharf(folder.path(), &arguments).envs(variables.iter().copied()))
}

fn check(folder: &Path, flags: &[&str]) -> (i32, String, String) {
    run(&mut wharf(folder, &[&["config", "check"], flags].concat()))
}

#[test]
fn each_layer_hides_the_one_below() {
    let file = "[http]\nlisten = \"127.0.0.1:1\"\n";
    let variable = [("WHARF_HTTP_LISTEN", "127.0.0.1:2")];
    let flag = ["--listen", "127.0.0.1:3"];
    for (file, variables, flags, expected) in [
        ("", &[][..], &[][..], "listen = \"127.0.0.1:5000\" # default"),
        (file, &[], &[], "listen = \"127.0.0.1:1\" # wharf.toml:2"),
        (file, &variable, &[], "listen = \"127.0.0.1:2\" # WHARF_HTTP_LISTEN"),
        (file, &variable, &flag, "listen = \"127.0.0.1:3\" # --listen"),
    ] {
        let (code, out, _) = show(file, variables, flags);
        assert_eq!(code, 0);
        assert!(out.lines().any(|line| line == expected), "{expected} in {out}");
    }
}

#[test]
fn a_file_holds_numbers_truths_and_lists_as_toml_has_them() {
    let file = "[http]\nopen = true\nmax_connections = 0x1_0\ntrusted_proxies = ['10.1.1.1/8', '::1']\n\
                [traces]\nsample_ratio = 0.25\n[registry]\nmax_manifest_size = 1_048_576\n";
    let (code, out, err) = show(file, &[], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    for line in [
        "open = \"true\" # wharf.toml:2",
        "max_connections = \"16\" # wharf.toml:3",
        "trusted_proxies = \"10.0.0.0/8,::1/128\" # wharf.toml:4",
        "sample_ratio = \"0.25\" # wharf.toml:6",
        "max_manifest_size = \"1MiB\" # wharf.toml:8",
    ] {
        assert!(out.lines().any(|found| found == line), "{line} in {out}");
    }
}

#[test]
fn each_identity_provider_has_a_section_of_its_own() {
    let file = "[access]\ncontrol = true\n[oidc.dex]\nissuer = 'https://dex.example'\nclient_id = 'wharf'\n\
                client_secret = 'hidden'\ncreate_users = true\n[oidc.sso]\n\
                issuer = 'https://sso.example/realms/a'\nclient_id = 'wharf'\nrequired_groups = ['/a', '/b']\n";
    let (code, out, err) = show(file, &[], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    for line in [
        "issuer = \"dex=https://dex.example,sso=https://sso.example/realms/a\" # wharf.toml:9",
        "client_id = \"dex=wharf,sso=wharf\" # wharf.toml:10",
        "client_secret = \"dex=***\" # wharf.toml:6",
        "required_groups = \"sso=/a,sso=/b\" # wharf.toml:11",
        "create_users = \"dex=true\" # wharf.toml:7",
    ] {
        assert!(out.lines().any(|found| found == line), "{line} in {out}");
    }
    assert!(!out.contains("hidden"));
}

#[test]
fn what_is_wrong_with_an_identity_provider_is_told() {
    let about = |provider: &str| {
        let file = format!("[access]\ncontrol = true\n[oidc.sso]\n{provider}");
        let (code, _, err) = show(&file, &[], &[]);
        (code, err)
    };
    let sound = "issuer = 'https://sso.example'\nclient_id = 'wharf'\n";
    assert_eq!(about(sound).0, 0);
    for (provider, told) in [
        (
            "client_id = 'wharf'",
            "oidc.client_id names the provider sso, of which oidc.issuer says nothing",
        ),
        ("issuer = 'https://sso.example'", "the identity provider sso: it has no oidc.client_id"),
        (
            "issuer = 'http://sso.example'\nclient_id = 'wharf'",
            "oidc.issuer = \"sso=http://sso.example\"",
        ),
        (&format!("{sound}client_secret = 'hidden'\nclient_secret_file = '/x'"), "one is enough"),
        (&format!("{sound}scopes = 'profile'"), "its oidc.scopes have no openid"),
        (
            &format!("{sound}label = 'a, b'"),
            "wharf.toml:6: label of oidc.sso is no text, or one with a comma",
        ),
        (
            &format!("{sound}lable = 'x'"),
            "there is no setting oidc.lable; did you mean oidc.label?",
        ),
        (
            "issuer = 'https://accounts.google.com'\nclient_id = 'w'\ncreate_users = true",
            "everyone in the world has an account there",
        ),
    ] {
        let (code, err) = about(provider);
        assert_eq!(code, 2, "{provider}: {err}");
        assert!(err.contains(told), "{told} in {err}");
        assert!(!err.contains("hidden"), "{err}");
    }
    let (code, _, err) =
        show("[oidc.ldap]\nissuer = 'https://sso.example'\nclient_id = 'w'", &[], &[]);
    assert_eq!(code, 2);
    for told in ["choose another one", "oidc.issuer is set and access.control is not"] {
        assert!(err.contains(told), "{told} in {err}");
    }
    // Whatever the directory is called.
    let both =
        "[ldap]\nprovider = 'corp'\n[oidc.corp]\nissuer = 'https://sso.example'\nclient_id = 'w'";
    let (code, _, err) = show(both, &[], &[]);
    assert_eq!(code, 2);
    assert!(err.contains("choose another one"), "{err}");
}

#[test]
fn a_bad_value_is_one_line_that_says_what_it_may_be() {
    let (code, out, err) = show("", &[("WHARF_HTTP_LISTEN", "abc")], &[]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        "wharf: http.listen = \"abc\" (from WHARF_HTTP_LISTEN) must be an address and port, \
         such as 127.0.0.1:5000\n"
    );
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_file() {
    let file = "top = 1\n[http]\nlisen = 'x'\nidle_timeout = { a = 1 }\n[http.x]\n\
                [uploads]\nlifetime = 'long'\n";
    let (code, _, err) = show(file, &[("WHARF_CACHE_SIZE", "1e9")], &["--listen", ":5000"]);
    assert_eq!(code, 2);
    let lines: Vec<_> = err.lines().collect();
    assert_eq!(
        lines,
        [
            "wharf: wharf.toml:1: there is no setting top; `wharf config show` lists all settings",
            "wharf: wharf.toml:3: there is no setting http.lisen; did you mean http.listen?",
            "wharf: wharf.toml:4: http.idle_timeout is a TOML table; it must be a time from 1ms \
             to 24h, such as 75s",
            "wharf: wharf.toml:5: there is no setting http.x; `wharf config show` lists all \
             settings",
            "wharf: cache.size = \"1e9\" (from WHARF_CACHE_SIZE) must be a size from 0 to 1TiB, \
             such as 64MiB",
            "wharf: http.listen = \":5000\" (from --listen) must be an address and port, such as \
             127.0.0.1:5000",
            "wharf: uploads.lifetime = \"long\" (from wharf.toml:7) must be a time from 1s to \
             365d, such as 12h",
        ]
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line_and_without_its_text() {
    let (code, _, err) = show("[http]\n[database]\nurl = \"postgres://u:hunter2@h\n", &[], &[]);
    assert_eq!(code, 2);
    assert!(err.starts_with("wharf: wharf.toml:3: this is not TOML: "), "{err}");
    assert!(err.lines().count() == 1 && !err.contains("hunter2"), "{err}");
}

#[test]
fn a_file_that_is_missing_is_told_with_who_named_it() {
    let folder = folder();
    let mut command = wharf(folder.path(), &["config", "check"]);
    let (code, _, err) = run(command.env("WHARF_CONFIG", "none.toml"));
    assert_eq!(code, 2);
    assert!(
        err.starts_with(
            "wharf: the configuration file none.toml (from WHARF_CONFIG) cannot be read: "
        ),
        "{err}"
    );
}

#[test]
fn places_that_cannot_be_used_are_refused_without_their_passwords() {
    for (variable, value, message) in [
        (
            "WHARF_DATABASE_URL",
            "postgres://u:hunter2@h:x/db",
            "database.url = \"postgres://u:***@h:x/db\" (from WHARF_DATABASE_URL): no usable \
             PostgreSQL URL: invalid connection string: invalid value for option `port`",
        ),
        (
            "WHARF_DATABASE_URL",
            "host=h password=hunter2",
            "database.url = \"***\" (from WHARF_DATABASE_URL) must be empty, a SQLite file such as \
             sqlite:///var/lib/wharf/metadata.db, or a PostgreSQL database such as \
             postgres://user:password@host/wharf",
        ),
        (
            "WHARF_DATABASE_REPLICA_URLS",
            "postgres://u:hunter2@h/db,postgres://u:hunter2@i:x/db",
            "database.replica_urls = \"postgres://u:***@i:x/db\" (from \
             WHARF_DATABASE_REPLICA_URLS): no usable PostgreSQL URL: invalid connection string: \
             invalid value for option `port`",
        ),
        (
            "WHARF_DATABASE_REPLICA_URLS",
            "postgres://u:hunter2@h/db,host=i user=u password=hunter2",
            "database.replica_urls is set and database.url names no PostgreSQL database: there is \
             nothing that they could be replicas of",
        ),
        (
            "WHARF_BLOBS_URL",
            "s3://bucket/prefix?secret=hunter2",
            "blobs.url = \"s3://bucket/prefix?***\" (from WHARF_BLOBS_URL) must be empty, a \
             folder such as file:///srv/blobs, or a bucket such as s3://bucket/prefix, gs://… or \
             az://…",
        ),
        (
            "WHARF_CACHE_URL",
            "redis://:hunter2@h:port",
            "cache.url = \"redis://:***@h:port\" (from WHARF_CACHE_URL): no usable Redis URL: \
             invalid client config",
        ),
    ] {
        let (code, _, err) = show("", &[(variable, value)], &[]);
        assert_eq!((code, err), (2, format!("wharf: {message}\n")));
    }
}

#[test]
fn unknown_variables_are_warned_of_and_nothing_more() {
    let variables = [("WHARF_PORT", "tcp://10.0.0.1:5000"), ("WHARF_HTTP_LISEN", "x")];
    let (code, _, err) = show("", &variables, &[]);
    assert_eq!(code, 0);
    assert_eq!(
        err,
        "wharf: warning: WHARF_HTTP_LISEN (did you mean WHARF_HTTP_LISTEN?), WHARF_PORT name no \
         settings and are ignored\n"
    );
}

#[test]
fn access_control_needs_keys_that_nodes_share_and_is_not_beside_open() {
    let control = ("WHARF_ACCESS_CONTROL", "true");
    let (code, _, err) = show("", &[control, ("WHARF_HTTP_OPEN", "true")], &[]);
    assert!(code == 2 && err.contains("http.open and access.control are both set"), "{err}");
    let stores =
        [("WHARF_DATABASE_URL", "postgres://u@h/db"), ("WHARF_BLOBS_URL", "s3://bucket"), control];
    let (code, _, err) = show("", &stores, &[]);
    assert!(code == 2 && err.contains("access.control is set and access.keys is not"), "{err}");
    let with_keys = [&stores[..], &[("WHARF_ACCESS_KEYS", "/keys")]].concat();
    assert_eq!(show("", &with_keys, &[]).0, 0);
    // With it, a registry may listen wide.
    let folder = folder();
    let arguments = ["config", "check", "--listen", "0.0.0.0:5000"];
    let (code, _, err) = run(wharf(folder.path(), &arguments).env(control.0, control.1));
    assert_eq!((code, err.as_str()), (0, ""));
    let (code, _, err) = show("", &[("WHARF_ACCESS_SERVICE", "a\"b")], &[]);
    assert!(code == 2 && err.contains("access.service"), "{err}");
}

#[test]
fn tls_needs_a_certificate_and_a_key() {
    let (code, _, err) = show("", &[("WHARF_HTTP_TLS_KEY", "key.pem")], &[]);
    assert_eq!(code, 2);
    assert_eq!(
        err,
        "wharf: http.tls_key is set and http.tls_certificate is not: TLS needs both, or neither\n"
    );
}

#[test]
fn a_wide_address_needs_open() {
    let folder = folder();
    let wide = ["--listen", "0.0.0.0:5000"];
    for command in ["check", "serve"] {
        let arguments = if command == "check" { vec!["config", "check"] } else { vec!["serve"] };
        let (code, _, err) = run(&mut wharf(folder.path(), &[&arguments[..], &wide].concat()));
        assert_eq!(code, 2);
        assert_eq!(
            err,
            "wharf: http.listen = \"0.0.0.0:5000\" (from --listen) can be reached from other \
             machines and no access control is configured: everyone could push and pull; set access.control, add \
             --open (or set http.open) to serve everyone, or listen on 127.0.0.1:5000\n"
        );
    }
    assert!(!folder.path().join("wharf-data").exists(), "refused before anything was made");
    assert_eq!(check(folder.path(), &["--listen", "0.0.0.0:5000", "--open"]).0, 0);
    assert_eq!(check(folder.path(), &["--listen", "[::1]:5000"]).0, 0);
}

#[test]
fn what_is_shown_can_be_given_back() {
    let (_, first, _) = show("", &[("WHARF_HTTP_IDLE_TIMEOUT", "90000ms")], &[]);
    let (code, second, err) = show(&first, &[], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let settings = |text: &str| {
        let lines = text.lines().map(|line| line.split(" # ").next().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(settings(&first), settings(&second));
}

#[test]
fn check_and_show_speak_json() {
    let folder = folder();
    let (code, out, _) = check(folder.path(), &["--json", "--listen", "abc"]);
    assert_eq!(code, 2);
    let reply: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(reply["sound"], false);
    assert_eq!(reply["problems"].as_array().unwrap().len(), 1);
    let (code, out, _) = run(&mut wharf(folder.path(), &["config", "show", "--json"]));
    assert_eq!(code, 0);
    let reply: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        reply["http.listen"],
        serde_json::json!({ "value": "127.0.0.1:5000", "from": "default" })
    );
}

#[test]
fn events_may_go_no_earlier_than_they_are_kept() {
    let folder = folder();
    let (code, _, err) = run(wharf(folder.path(), &["config", "check"])
        .env("WHARF_EVENTS_KEEP", "10d")
        .env("WHARF_EVENTS_KEEP_AT_MOST", "9d"));
    assert_ne!(code, 0);
    assert!(err.contains("events.keep_at_most is less than events.keep"), "{err}");
    let history = [("WHARF_EVENTS_KEEP_AT_MOST", "7d"), ("WHARF_TAGS_KEEP_HISTORY", "180d")];
    let (code, out, _) = show("", &history, &[]);
    assert_eq!(code, 0);
    assert!(out.contains("keep_history = \"180d\""), "{out}");
}
