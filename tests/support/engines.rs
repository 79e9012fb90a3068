//! The engines that nodes share in tests: a database, a prefix in a bucket and a Redis of a test's own.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::program::run;
use super::proxy::Proxy;

/// Settings of nodes that share everything, by their variables.
#[derive(Clone)]
pub struct Shared(Vec<(String, String)>);

impl Shared {
    /// A new database, reached through PgBouncer, and an empty prefix in a bucket.
    pub fn new() -> Shared {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cluster_{}_{number}", std::process::id());
        let direct = wharf_engines::postgres();
        let create = format!("CREATE DATABASE {name}");
        run(Command::new("psql").args(["--quiet", "--no-psqlrc", "-c", &create, &direct]));
        let at = |server: &str| format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let settings = [
            ("WHARF_DATABASE_URL", at(&wharf_engines::pgbouncer())),
            ("WHARF_DATABASE_DIRECT_URL", at(&direct)),
            ("WHARF_CACHE_URL", wharf_engines::redis()),
            ("WHARF_BLOBS_URL", format!("s3://wharf-cluster/{name}")),
            ("AWS_ENDPOINT_URL", wharf_engines::s3()),
            ("AWS_ACCESS_KEY_ID", wharf_engines::S3_ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", wharf_engines::S3_SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ];
        Shared(settings.map(|(name, text)| (name.to_owned(), text)).to_vec())
    }

    /// The same with the database behind a proxy.
    pub fn with_database_behind(mut self, start: impl FnOnce(&str) -> Proxy) -> (Shared, Proxy) {
        let direct =
            &self.0.iter().find(|(name, _)| name == "WHARF_DATABASE_DIRECT_URL").unwrap().1;
        let (before, name) = direct.rsplit_once('/').unwrap();
        let (scheme, server) = before.rsplit_once('@').unwrap();
        let proxy = start(server);
        let url = format!("{scheme}@{}/{name}", proxy.address());
        self.0.retain(|(name, _)| !name.starts_with("WHARF_DATABASE_"));
        (self.with("WHARF_DATABASE_URL", &url), proxy)
    }

    /// The same with further settings.
    pub fn with(mut self, name: &str, text: &str) -> Shared {
        self.0.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The settings, as nodes are started with them.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }
}
