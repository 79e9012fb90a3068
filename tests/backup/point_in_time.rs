//! PostgreSQL's own recovery to a point in time, by the steps of docs/backup.md: a base backup and the log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use ureq::http::Method;

use crate::site::{Site, check, push};
use crate::support::program::{attempt, end, run, wait_until};

/// A server of PostgreSQL, which archives its log.
struct Cluster {
    child: Child,
    port: u16,
}

/// The newest PostgreSQL on this machine.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let version = |entry: fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().ok();
    let newest = versions.filter_map(|entry| version(entry.unwrap())).max().unwrap();
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin/{name}"))
}

/// It does not run as root.
fn as_postgres(name: &str) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program(name));
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT", "--reuid", "postgres", "--regid", "postgres"]);
    command.arg("--clear-groups").arg(program(name));
    command
}

impl Cluster {
    fn start(data: &Path, archive: &Path) -> Cluster {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(data.with_extension("log")).unwrap();
        let archive = archive.display();
        let child = as_postgres("postgres")
            .arg("-D")
            .arg(data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "archive_mode=on"])
            .args(["-c", &format!("archive_command=cp %p {archive}/%f")])
            .args(["-c", &format!("restore_command=cp {archive}/%f %p")])
            .current_dir(data.parent().unwrap())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let cluster = Cluster { child, port };
        wait_until("PostgreSQL takes writes", Duration::from_secs(60), || {
            cluster.try_ask("SELECT pg_is_in_recovery()").is_ok_and(|said| said == "f")
        });
        cluster
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn try_ask(&self, sql: &str) -> Result<String, String> {
        let url = self.url();
        attempt(Command::new("psql").args(["--no-psqlrc", "--tuples-only", "-A", "-c", sql, &url]))
    }

    fn ask(&self, sql: &str) -> String {
        self.try_ask(sql).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        end(&mut self.child, Duration::from_secs(20));
    }
}

/// A tag that was deleted by mistake, and what was pushed later, are as they were before the mistake. What nodes and
/// Redis remember of what did not happen is served by nobody.
#[test]
fn a_database_is_recovered_to_a_point_in_time() {
    let folder = TempDir::new().unwrap();
    let [data, archive, base] = ["data", "archive", "base"].map(|name| folder.path().join(name));
    fs::create_dir(&archive).unwrap();
    if rustix::process::getuid().is_root() {
        run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder.path()));
    }
    run(as_postgres("initdb")
        .args(["--username=postgres", "--auth=trust", "--no-sync", "--pgdata"])
        .arg(&data)
        .current_dir(folder.path()));
    let cluster = Cluster::start(&data, &archive);
    run(as_postgres("pg_basebackup")
        .args(["--host=127.0.0.1", "--username=postgres", "--checkpoint=fast", "--no-sync"])
        .args([&format!("--port={}", cluster.port), "--pgdata"])
        .arg(&base)
        .current_dir(folder.path()));

    let site = Site::in_a_cluster().with_database(&cluster.url());
    let server = site.serve();
    let registry = server.registry();
    let kept = push(&registry, "team/app", "kept");
    let moment = cluster.ask("SELECT clock_timestamp()");
    // The clock of the database is in microseconds; this only tells the two moments apart.
    sleep(Duration::from_millis(10));
    assert_eq!(registry.delete_manifest("team/app", "kept").unwrap().status, 202);
    push(&registry, "team/app", "later");
    assert_eq!(registry.manifest("team/app", "kept").unwrap().status, 404);
    assert_eq!(registry.manifest("team/app", "later").unwrap().status, 200);
    drop(server);
    cluster.ask("SELECT pg_switch_wal()");
    drop(cluster);

    let settings = base.join("postgresql.auto.conf");
    let target = format!("recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, before + &target).unwrap();
    fs::write(base.join("recovery.signal"), "").unwrap();
    let cluster = Cluster::start(&base, &archive);
    let site = site.with_database(&cluster.url());
    let said = site.admin(&["recovered"]).unwrap();
    assert!(said.contains("nodes may start"), "{said}");

    let server = site.serve();
    let registry = server.registry();
    check(&registry, &kept);
    assert_eq!(registry.manifest("team/app", "later").unwrap().status, 404);
    let tags = registry.send(Method::GET, "/v2/team/app/tags/list", &[], None).unwrap().json();
    assert_eq!(tags["tags"], serde_json::json!(["kept"]));
    check(&registry, &push(&registry, "team/app", "after"));
}
