//! Each engine: how it is started, and what tests are told of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wharf_engines::{POSTGRES_PASSWORD_ROLE, S3_ACCESS_KEY, S3_READER_ACCESS_KEY, S3_SECRET_KEY};

use crate::process::{Process, free_port};

/// Who PostgreSQL and PgBouncer run as: neither runs as root.
const POSTGRES_USER: &str = "postgres";

/// An engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Pgbouncer,
    Replica,
    ReplicaPgbouncer,
    Redis,
    Seaweedfs,
    Azurite,
    Oidc,
}

/// An engine at work, until this is dropped.
pub struct Started {
    /// What it is called in the environment.
    pub variable: &'static str,
    /// Where it is.
    pub address: String,
    _process: Process,
}

impl Engine {
    pub const ALL: [Self; 8] = [
        Self::Postgres,
        Self::Pgbouncer,
        Self::Replica,
        Self::ReplicaPgbouncer,
        Self::Redis,
        Self::Seaweedfs,
        Self::Azurite,
        Self::Oidc,
    ];

    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == name);
        found.with_context(|| format!("no engine is called {name:?}"))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Pgbouncer => "pgbouncer",
            Self::Replica => "replica",
            Self::ReplicaPgbouncer => "replica-pgbouncer",
            Self::Redis => "redis",
            Self::Seaweedfs => "seaweedfs",
            Self::Azurite => "azurite",
            Self::Oidc => "oidc",
        }
    }
}

/// Starts `engines` with their data in folders of `folder`. `durable` has PostgreSQL sync what it commits, as in life.
pub fn all(
    engines: &[Engine],
    durable: bool,
    installed: &Path,
    folder: &Path,
) -> Result<Vec<Started>> {
    // Other users' servers have their folders in here.
    set_mode(folder, 0o755)?;
    let mut started = Vec::new();
    let (mut postgres_port, mut replica_port) = (None, None);
    for engine in engines {
        let own = folder.join(engine.name());
        std::fs::create_dir(&own)?;
        started.push(match engine {
            Engine::Postgres => postgres(&own, *postgres_port.insert(free_port()?), durable)?,
            Engine::Pgbouncer => {
                let port = postgres_port.context("PgBouncer needs postgres before it")?;
                pgbouncer("WHARF_TEST_PGBOUNCER", &own, port)?
            }
            Engine::Replica => {
                let primary = postgres_port.context("a replica needs postgres before it")?;
                replica(&own, primary, *replica_port.insert(free_port()?), durable)?
            }
            Engine::ReplicaPgbouncer => {
                let port = replica_port.context("replica-pgbouncer needs replica before it")?;
                pgbouncer("WHARF_TEST_PGBOUNCER_REPLICA", &own, port)?
            }
            Engine::Redis => redis(&own)?,
            Engine::Seaweedfs => seaweedfs(&own, &installed.join("seaweedfs/bin/weed"))?,
            Engine::Azurite => {
                azurite(&own, &installed.join("azurite/node_modules/.bin/azurite-blob"))?
            }
            Engine::Oidc => oidc(&own, &installed.join("oidc/provider.mjs"))?,
        });
    }
    Ok(started)
}

fn postgres(folder: &Path, port: u16, durable: bool) -> Result<Started> {
    let user = give_away(folder)?;
    let mut initdb = as_user(user, newest_postgres()?.join("initdb"));
    initdb.arg("--pgdata").arg(folder.join("data")).current_dir(folder);
    let made = initdb
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"])
        .args(["--locale-provider=icu", "--icu-locale=en", "--locale=C.UTF-8"])
        .output()?;
    ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let rules = folder.join("data/pg_hba.conf");
    let trusting = std::fs::read_to_string(&rules)?;
    // The first rule that fits decides.
    let asking = format!("host all {POSTGRES_PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256");
    std::fs::write(&rules, format!("{asking}\n{trusting}"))?;
    let process = serve_postgres("postgres", folder, port, durable)?;
    let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Ok(Started { variable: "WHARF_TEST_POSTGRES", address, _process: process })
}

/// A streaming replica that takes reads.
fn replica(folder: &Path, primary: u16, port: u16, durable: bool) -> Result<Started> {
    let user = give_away(folder)?;
    let mut copy = as_user(user, newest_postgres()?.join("pg_basebackup"));
    copy.arg("--pgdata").arg(folder.join("data")).current_dir(folder);
    let made = copy
        .args(["--host=127.0.0.1", "--username=postgres", "--write-recovery-conf"])
        .args([&format!("--port={primary}"), "--checkpoint=fast", "--no-sync", "--no-manifest"])
        .output()?;
    ensure!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
    let process = serve_postgres("replica", folder, port, durable)?;
    let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Ok(Started { variable: "WHARF_TEST_POSTGRES_REPLICA", address, _process: process })
}

/// Starts PostgreSQL on the data in a folder.
fn serve_postgres(name: &str, folder: &Path, port: u16, durable: bool) -> Result<Process> {
    let (programs, user) = (newest_postgres()?, give_away(folder)?);
    // What tests leave outlives nothing, so nothing is synced.
    let synced = if durable { "on" } else { "off" };
    let settings = [
        &format!("fsync={synced}"),
        &format!("full_page_writes={synced}"),
        "max_connections=400",
        "shared_buffers=128MB",
        "listen_addresses=127.0.0.1",
        "max_wal_senders=4",
        "wal_level=replica",
        // What a replica replays waits this long for a read that is in its way, then the read is cancelled.
        "max_standby_streaming_delay=50ms",
    ];
    let data = folder.join("data");
    let mut arguments = vec!["-D".to_owned(), text(&data), "-p".to_owned(), port.to_string()];
    arguments.extend(["-k".to_owned(), text(folder)]);
    arguments.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
    let process = Process::start(name, folder, user, programs.join("postgres"), &arguments)?;
    let process = process.listens(port)?;
    // It listens a moment before it answers.
    let begin = std::time::Instant::now();
    let ready = || {
        let mut ask = Command::new(programs.join("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status()
    };
    while !ready()?.success() {
        ensure!(begin.elapsed().as_secs() < 60, "PostgreSQL listens but does not answer");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(process)
}

/// A program as a user, where one is named.
fn as_user(user: Option<&str>, program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg(program);
    command
}

fn pgbouncer(variable: &'static str, folder: &Path, postgres: u16) -> Result<Started> {
    let user = give_away(folder)?;
    let (port, settings) = (free_port()?, folder.join("pgbouncer.ini"));
    let text_of_settings = format!(
        "[databases]\n* = host=127.0.0.1 port={postgres}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n\
         max_client_conn = 400\nunix_socket_dir =\nlogfile =\n\
         [users]\npostgres = pool_mode=transaction\n"
    )
    .replace("* = host", "* = user=postgres host");
    std::fs::write(&settings, text_of_settings)?;
    let arguments = [text(&settings)];
    let process = Process::start("pgbouncer", folder, user, "/usr/sbin/pgbouncer", &arguments)?;
    let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Ok(Started { variable, address, _process: process.listens(port)? })
}

fn redis(folder: &Path) -> Result<Started> {
    let port = free_port()?;
    let arguments = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""];
    let arguments = arguments.map(str::to_owned);
    let process = Process::start("redis", folder, None, "redis-server", &arguments)?;
    let address = format!("redis://127.0.0.1:{port}");
    Ok(Started { variable: "WHARF_TEST_REDIS", address, _process: process.listens(port)? })
}

fn seaweedfs(folder: &Path, weed: &Path) -> Result<Started> {
    let identities = folder.join("s3.json");
    std::fs::write(
        &identities,
        format!(
            r#"{{"identities":[
                {{"name":"tests","credentials":[{{"accessKey":"{S3_ACCESS_KEY}","secretKey":"{S3_SECRET_KEY}"}}],
                  "actions":["Admin","Read","List","Tagging","Write"]}},
                {{"name":"reader","credentials":[{{"accessKey":"{S3_READER_ACCESS_KEY}","secretKey":"{S3_SECRET_KEY}"}}],
                  "actions":["Read","List"]}}]}}"#
        ),
    )?;
    let port = free_port()?;
    let mut arguments = vec![
        "server".to_owned(),
        format!("-dir={}", folder.display()),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        "-s3".to_owned(),
        format!("-s3.port={port}"),
        // Two catalogues that nobody here needs, on fixed ports: a second run beside this one would meet them.
        "-s3.port.iceberg=0".to_owned(),
        "-s3.port.lance=0".to_owned(),
        format!("-s3.config={}", identities.display()),
        "-master.volumeSizeLimitMB=1024".to_owned(),
        "-volume.max=100".to_owned(),
    ];
    for role in ["master", "volume", "filer"] {
        arguments.push(format!("-{role}.port={}", free_port()?));
    }
    let process = Process::start("seaweedfs", folder, None, weed, &arguments)?;
    let address = format!("http://127.0.0.1:{port}");
    Ok(Started { variable: "WHARF_TEST_S3", address, _process: process.listens(port)? })
}

fn azurite(folder: &Path, program: &Path) -> Result<Started> {
    let port = free_port()?;
    let arguments = [
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        &port.to_string(),
        "--location",
        &text(folder),
        "--skipApiVersionCheck",
        "--silent",
    ];
    let arguments = arguments.map(str::to_owned);
    let process = Process::start("azurite", folder, None, program, &arguments)?;
    let address = format!("http://127.0.0.1:{port}/devstoreaccount1");
    Ok(Started { variable: "WHARF_TEST_AZURE", address, _process: process.listens(port)? })
}

/// Gives a folder to the user that servers run as which refuse to run as root.
fn give_away(folder: &Path) -> Result<Option<&'static str>> {
    let is_root = Command::new("id").arg("-u").output()?.stdout == b"0\n";
    if !is_root {
        return Ok(None);
    }
    let given = Command::new("chown").arg(POSTGRES_USER).arg(folder).status()?;
    ensure!(given.success(), "there is no user {POSTGRES_USER}: install postgresql");
    Ok(Some(POSTGRES_USER))
}

fn newest_postgres() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("install postgresql")?;
    let newest = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("postgres").exists())
        .max();
    newest.context("no PostgreSQL in /usr/lib/postgresql: install postgresql")
}

fn set_mode(folder: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))?)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// An OpenID provider.
fn oidc(folder: &Path, program: &Path) -> Result<Started> {
    let port = free_port()?;
    let arguments = [text(program), port.to_string()];
    let process = Process::start("oidc", folder, None, "node", &arguments)?.listens(port)?;
    let address = format!("http://127.0.0.1:{port}");
    Ok(Started { variable: "WHARF_TEST_OIDC", address, _process: process })
}
