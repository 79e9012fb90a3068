//! What a start says of engines that do not let it work: one line that names the setting and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use support::engines::Shared;
use support::program::{attempt, run};
use support::proxy::Fault;
use support::server::{Process, program};
use tempfile::TempDir;

/// No start takes longer to fail.
const LONGEST: Duration = Duration::from_secs(30);

/// A secret that is wrong everywhere, and told nowhere.
const WRONG: &str = "not-the-secret";

/// The error of a start with these settings: its last line.
fn refused(shared: &Shared) -> String {
    let folder = TempDir::new().unwrap();
    let begin = Instant::now();
    // A start that works would go on for ever.
    let mut command = Command::new("timeout");
    command.args([&LONGEST.as_secs().to_string(), &program()]);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
    let said = attempt(command.envs(shared.settings())).expect_err("this start must fail");
    assert!(begin.elapsed() < LONGEST, "{:?}: {said}", begin.elapsed());
    assert!(said.contains("exit status: 1"), "{said}");
    let (_, told) = said.split_once("exit status: 1").unwrap();
    assert!(!told.contains(WRONG), "{told}");
    let errors = told.lines().filter(|line| line.starts_with("wharf: "));
    let errors: Vec<&str> = errors.filter(|line| !line.contains("warning: WHARF_TEST_")).collect();
    let [error] = errors[..] else { panic!("{errors:?}\n{told}") };
    println!("{error}");
    error.to_owned()
}

/// Each of these is in the text.
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

/// Runs statements as the superuser, in the database of these settings.
fn sql(shared: &Shared, statements: &str) {
    let url = shared.get("WHARF_DATABASE_DIRECT_URL");
    run(Command::new("psql").args(["--quiet", "--no-psqlrc", "-c", statements, url]));
}

/// A role of this name without any rights, and the settings by which a node is that role.
fn as_role(shared: &Shared, role: &str, password: &str) -> Shared {
    sql(shared, &format!("CREATE ROLE {role} LOGIN PASSWORD 'the-secret'"));
    let url = shared.get("WHARF_DATABASE_DIRECT_URL");
    let url = url.replace("postgres@", &format!("{role}:{password}@"));
    shared.clone().with("WHARF_DATABASE_URL", &url).with("WHARF_DATABASE_DIRECT_URL", &url)
}

fn migrated() -> Shared {
    let shared = Shared::new();
    run(Command::new(program()).arg("migrate").envs(shared.settings()));
    shared
}

#[test]
fn a_wrong_password_of_the_database() {
    let error = refused(&as_role(&Shared::new(), wharf_engines::POSTGRES_PASSWORD_ROLE, WRONG));
    holds(&error, &["database.url", "password authentication failed for user"]);
}

#[test]
fn a_database_that_does_not_exist() {
    let shared = Shared::new();
    let url = shared.get("WHARF_DATABASE_DIRECT_URL").replace("/cluster_", "/no_such_");
    let shared = shared.with("WHARF_DATABASE_URL", &url).with("WHARF_DATABASE_DIRECT_URL", &url);
    holds(&refused(&shared), &["database.url", "database \"no_such_", "does not exist"]);
}

#[test]
fn a_role_that_may_make_no_tables() {
    let error = refused(&as_role(&Shared::new(), "stranger", "the-secret"));
    holds(&error, &["database.url", "permission denied for schema public", "GRANT CREATE"]);
}

#[test]
fn a_role_that_may_only_read() {
    let shared = migrated();
    let reader = as_role(&shared, "reader", "the-secret").with("WHARF_DATABASE_MIGRATE", "false");
    sql(&shared, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
    let error = refused(&reader);
    holds(
        &error,
        &[
            "database.url",
            "may not write to the tables",
            "repositories",
            "GRANT SELECT, INSERT, UPDATE, DELETE",
        ],
    );
}

#[test]
fn a_schema_that_nobody_brought_up_to_date() {
    let error = refused(&Shared::new().with("WHARF_DATABASE_MIGRATE", "false"));
    holds(&error, &["database.url", "`wharf migrate`"]);
}

#[test]
fn a_schema_that_has_left_this_program_behind() {
    let shared = migrated();
    sql(&shared, "UPDATE schema_protocol SET minimum = 99");
    holds(&refused(&shared), &["database.url", "use a newer wharf"]);
}

#[test]
fn a_wrong_secret_or_key_of_the_bucket() {
    let shared = Shared::new();
    let error = refused(&shared.clone().with("AWS_SECRET_ACCESS_KEY", WRONG));
    holds(&error, &["blobs.url", "the secret does not belong to this key"]);
    let error = refused(&shared.with("AWS_ACCESS_KEY_ID", "nobody"));
    holds(&error, &["blobs.url", "the store does not know this key"]);
}

#[test]
fn a_key_of_the_bucket_that_may_only_read() {
    let reader = Shared::new().with("AWS_ACCESS_KEY_ID", wharf_engines::S3_READER_ACCESS_KEY);
    holds(&refused(&reader), &["blobs.url", "writing an object", "grant it"]);
}

#[test]
fn what_a_cloud_says_of_the_bucket_and_the_clock() {
    let (shared, engines) = Shared::new().behind_proxies();
    for (status, code, advice) in [
        (404, "NoSuchBucket", "create it, or name the one that is meant"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "AccessDenied", "grant it"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
    ] {
        engines.objects.fail(Fault::Answer(status, code));
        holds(&refused(&shared), &["blobs.url", code, advice]);
    }
}

#[test]
fn a_bucket_that_cannot_be_reached() {
    let (shared, engines) = Shared::new().behind_proxies();
    engines.objects.fail(Fault::Stall);
    let error = refused(&shared.with("WHARF_BLOBS_TIMEOUT", "2s"));
    holds(&error, &["blobs.url", "no answer in time"]);
}

#[test]
fn a_redis_that_refuses_the_password_or_the_commands() {
    let shared = Shared::new();
    let at = shared.get("WHARF_CACHE_URL").strip_prefix("redis://").unwrap().to_owned();
    let (host, port) = at.split_once(':').unwrap();
    for (user, rights) in [("start", "+@all"), ("mute", "-@all")] {
        let secret = [">the-secret", "~*", rights];
        let set = [&["-h", host, "-p", port, "ACL", "SETUSER", user, "on"], &secret[..]].concat();
        run(Command::new("redis-cli").args(set));
    }
    let url = format!("redis://start:{WRONG}@{at}");
    let error = refused(&shared.clone().with("WHARF_CACHE_URL", &url));
    holds(&error, &["cache.url", "Password authentication failed"]);
    let url = format!("redis://mute:the-secret@{at}");
    holds(&refused(&shared.with("WHARF_CACHE_URL", &url)), &["cache.url", "no permissions to run"]);
}

#[test]
fn a_redis_that_cannot_be_reached_keeps_no_node_from_starting_but_is_told_of() {
    let (shared, engines) = Shared::new().behind_proxies();
    for fault in [Fault::Cut, Fault::Stall] {
        engines.redis.fail(fault);
        let folder = TempDir::new().unwrap();
        let server = Process::launch(&folder.path().join("data"), &shared.settings()).ready();
        assert_eq!(server.registry().get("/readyz").unwrap().status, 200);
        holds(&server.log(), &["Redis does not answer", "cache.url"]);
    }
}
