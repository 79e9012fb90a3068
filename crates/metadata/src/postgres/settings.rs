//! Where PostgreSQL is, and how long anything is waited for.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Where a database is and who asks, as `postgres://user:password@host/database?sslmode=require` or in the form
/// of `host=… user=…`. It never prints its password.
///
/// `sslmode` is `disable`, `prefer` (TLS if the server has it; without the word) or `require`. Whenever TLS is
/// spoken the server's certificate is verified, with its name; `verify-full` and `verify-ca` mean `require`.
#[derive(Clone)]
pub struct PostgresUrl(Config);

/// A text that is no URL of PostgreSQL. The text is not repeated: it may hold a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no usable PostgreSQL URL: {0}")]
pub struct NoPostgresUrl(String);

impl FromStr for PostgresUrl {
    type Err = NoPostgresUrl;

    fn from_str(text: &str) -> Result<Self, NoPostgresUrl> {
        let text = ["verify-full", "verify-ca"].into_iter().fold(text.to_owned(), |text, mode| {
            text.replace(&format!("sslmode={mode}"), "sslmode=require")
        });
        let parsed: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            NoPostgresUrl(super::failure::describe(&error).replacen("PostgreSQL: ", "", 1))
        })?;
        if parsed.get_hosts().is_empty() && parsed.get_hostaddrs().is_empty() {
            return Err(NoPostgresUrl("it names no host".into()));
        }
        Ok(Self(parsed))
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.0;
        write!(formatter, "postgres://")?;
        if let Some(user) = config.get_user() {
            write!(formatter, "{user}@")?;
        }
        for (index, host) in config.get_hosts().iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match host {
                Host::Tcp(host) => write!(formatter, "{comma}{host}")?,
                Host::Unix(path) => write!(formatter, "{comma}{}", path.display())?,
            }
            let ports = config.get_ports();
            let port = ports.get(index).or_else(|| ports.first());
            write!(formatter, ":{}", port.copied().unwrap_or(5432))?;
        }
        write!(formatter, "/{}", config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl PostgresUrl {
    pub(super) fn wants_tls(&self) -> bool {
        self.0.get_ssl_mode() != SslMode::Disable
    }

    /// The driver's form, with a bound for each wait of the network.
    pub(super) fn config(&self, settings: &PostgresSettings) -> Config {
        let mut config = self.0.clone();
        config.connect_timeout(settings.connect_timeout);
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(settings.transaction_timeout);
        if config.get_application_name().is_none() {
            config.application_name("wharf");
        }
        config
    }
}

/// How PostgreSQL is used.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// Where requests go; a PgBouncer that pools transactions will do.
    pub url: PostgresUrl,
    /// Where migrations go, if not there: a way around PgBouncer.
    pub direct_url: Option<PostgresUrl>,
    /// Streaming replicas of it that reads may go to.
    pub replicas: Vec<PostgresUrl>,
    /// How many connections this process keeps at most, to the primary and to each replica.
    pub connections: usize,
    /// How long a new connection may take.
    pub connect_timeout: Duration,
    /// How long a transaction waits for a connection that is not busy.
    pub pool_timeout: Duration,
    /// How long one statement may take, also on the server.
    pub statement_timeout: Duration,
    /// How long a transaction may take with all its tries, before its last COMMIT.
    pub transaction_timeout: Duration,
    /// Certificates (PEM) to verify the server's by, in place of the system's.
    pub root_certificates: Option<PathBuf>,
}

impl PostgresSettings {
    /// Settings that suit a node of a service.
    #[must_use]
    pub fn new(url: PostgresUrl) -> Self {
        Self::of_transactions(url, Duration::from_secs(20))
    }

    /// The same, with times that follow how long a transaction may take.
    #[must_use]
    pub fn of_transactions(url: PostgresUrl, limit: Duration) -> Self {
        Self {
            url,
            direct_url: None,
            replicas: Vec::new(),
            connections: 16,
            connect_timeout: limit / 4,
            pool_timeout: limit / 4,
            statement_timeout: limit / 2,
            transaction_timeout: limit,
            root_certificates: None,
        }
    }
}

/// Where systems keep the certificates that they trust, for programs that must be told.
const SYSTEM_ROOTS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

impl PostgresSettings {
    /// The way around PgBouncer, where there is one.
    pub(crate) fn direct(&self) -> &PostgresUrl {
        self.direct_url.as_ref().unwrap_or(&self.url)
    }

    /// The same for PostgreSQL's own programs, by the variables of libpq. Not by arguments: those can be seen by
    /// everyone on the machine, and a password may be among them.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let config = &self.direct().0;
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let addresses = || config.get_hostaddrs().iter().map(ToString::to_string).collect();
        let mut hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
        if hosts.is_empty() {
            hosts = addresses();
        }
        let ports: Vec<String> = config.get_ports().iter().map(ToString::to_string).collect();
        // What libpq calls `require` verifies nobody.
        let mode = match config.get_ssl_mode() {
            SslMode::Disable => "disable",
            SslMode::Require => "verify-full",
            _ => "prefer",
        };
        let system = || SYSTEM_ROOTS.into_iter().find(|bundle| Path::new(bundle).exists());
        let roots = self.root_certificates.clone().or_else(|| system().map(PathBuf::from));
        let mut environment: Vec<(&str, OsString)> =
            vec![("PGHOST", hosts.join(",").into()), ("PGSSLMODE", mode.into())];
        if !ports.is_empty() {
            environment.push(("PGPORT", ports.join(",").into()));
        }
        let user = config.get_user().map(|user| ("PGUSER", user.into()));
        let database = config.get_dbname().map(|name| ("PGDATABASE", name.into()));
        let password = config.get_password().map(|password| {
            ("PGPASSWORD", std::os::unix::ffi::OsStringExt::from_vec(password.to_vec()))
        });
        let roots = roots.map(|path| ("PGSSLROOTCERT", path.into()));
        environment.extend([user, database, password, roots].into_iter().flatten());
        environment
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn programs_find_the_database_by_their_environment() {
        let url = "postgres://me:hidden@db.example:6432/wharf?sslmode=require".parse().unwrap();
        let mut settings = PostgresSettings::new(url);
        settings.root_certificates = Some("/etc/wharf/roots.pem".into());
        let environment = settings.environment();
        let environment: Vec<String> =
            environment.iter().map(|(name, text)| format!("{name}={}", text.display())).collect();
        assert_eq!(
            environment,
            [
                "PGHOST=db.example",
                "PGSSLMODE=verify-full",
                "PGPORT=6432",
                "PGUSER=me",
                "PGDATABASE=wharf",
                "PGPASSWORD=hidden",
                "PGSSLROOTCERT=/etc/wharf/roots.pem",
            ]
        );
    }

    #[test]
    fn a_password_is_never_printed() {
        for text in [
            "postgres://me:hidden@db.example:6432/wharf?sslmode=verify-full",
            "host=db.example port=6432 user=me password=hidden dbname=wharf sslmode=require",
        ] {
            let url: PostgresUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), "postgres://me@db.example:6432/wharf");
            assert!(!format!("{:?}", PostgresSettings::new(url)).contains("hidden"));
        }
        for text in
            ["postgres://me:hidden@db.example:port/wharf", "postgres://me:hid%den@", "hidden"]
        {
            let error = text.parse::<PostgresUrl>().unwrap_err().to_string();
            assert!(!error.contains("hid"), "{error}");
        }
    }
}
