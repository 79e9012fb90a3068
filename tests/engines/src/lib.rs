//! The engines that tests work with: real ones, started once for a whole run by this crate's program.
//!
//! `cargo run -p wharf-engines -- cargo test -p wharf-metadata` starts them, runs the command, and ends them.
//! A test finds them here, shares them with other tests, and keeps to a database, bucket or prefix of its own.

/// The superuser's URL of PostgreSQL, `postgres://…/postgres`.
#[must_use]
pub fn postgres() -> String {
    find("WHARF_TEST_POSTGRES")
}

/// The URL of PgBouncer in front of that PostgreSQL, in transaction mode, for any database of it.
#[must_use]
pub fn pgbouncer() -> String {
    find("WHARF_TEST_PGBOUNCER")
}

/// The superuser's URL of a streaming replica of that PostgreSQL, `postgres://…/postgres`.
#[must_use]
pub fn postgres_replica() -> String {
    find("WHARF_TEST_POSTGRES_REPLICA")
}

/// The URL of a PgBouncer in front of that replica, in transaction mode.
#[must_use]
pub fn pgbouncer_replica() -> String {
    find("WHARF_TEST_PGBOUNCER_REPLICA")
}

/// The URL of Redis, `redis://…`.
#[must_use]
pub fn redis() -> String {
    find("WHARF_TEST_REDIS")
}

/// The endpoint of an S3 service, `http://…`, which takes [`S3_ACCESS_KEY`] and [`S3_SECRET_KEY`].
#[must_use]
pub fn s3() -> String {
    find("WHARF_TEST_S3")
}

/// The endpoint of an Azure Blob service, `http://…/devstoreaccount1`, which takes [`AZURE_KEY`].
#[must_use]
pub fn azure() -> String {
    find("WHARF_TEST_AZURE")
}

/// The issuer of an OpenID provider, `http://…`. Its clients are called `basic`, `post` and `public`, after how they say who
/// they are; each may come back to `/login/CLIENT/callback` on any port. Whoever logs in there says who they are: the login
/// `ada:/devs,/staff` is `ada` of two groups, with any password.
#[must_use]
pub fn oidc() -> String {
    find("WHARF_TEST_OIDC")
}

/// The secret of the client `basic`, of which a part would be another one if it was not encoded.
pub const OIDC_BASIC_SECRET: &str = "a secret: 100% + \"safe\"";

/// The secret of the client `post`.
pub const OIDC_POST_SECRET: &str = "another secret";

/// A role of PostgreSQL, once a test has made it, that must know its password; all others are trusted.
pub const POSTGRES_PASSWORD_ROLE: &str = "with_password";

/// The access key of the S3 service, which may do everything.
pub const S3_ACCESS_KEY: &str = "wharf-test";

/// Its secret.
pub const S3_SECRET_KEY: &str = "wharf-test-secret";

/// An access key of the S3 service that may only read.
pub const S3_READER_ACCESS_KEY: &str = "wharf-reader";

/// The account of the Azure service: Azurite's only one, published in its manual.
pub const AZURE_ACCOUNT: &str = "devstoreaccount1";

/// The key of that account.
pub const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// What the program says in the environment. A test without its engine has failed, it is not left out.
fn find(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(value) => value,
        Err(_) => panic!(
            "{variable} is not set: run this test by ./test, or by `cargo run -p wharf-engines -- cargo test …`"
        ),
    }
}
