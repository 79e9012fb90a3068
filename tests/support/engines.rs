//! The engines that nodes share in tests: a database, a prefix in a bucket and a Redis of a test's own.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::program::run;
use super::proxy::Proxy;

/// The ways to the engines.
pub struct Proxies {
    pub database: Proxy,
    pub objects: Proxy,
    pub redis: Proxy,
}

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

    /// The same with each engine behind a proxy.
    pub fn behind_proxies(mut self) -> (Shared, Proxies) {
        // PgBouncer has faults of its own way to PostgreSQL; here there is one way.
        let direct = self.of("WHARF_DATABASE_DIRECT_URL").clone();
        *self.of("WHARF_DATABASE_URL") = direct;
        self.0.retain(|(name, _)| name != "WHARF_DATABASE_DIRECT_URL");
        let database = self.behind_proxy("WHARF_DATABASE_URL");
        let objects = self.behind_proxy("AWS_ENDPOINT_URL");
        let redis = self.behind_proxy("WHARF_CACHE_URL");
        (self, Proxies { database, objects, redis })
    }

    fn behind_proxy(&mut self, name: &str) -> Proxy {
        let url = self.of(name);
        let (_, after) = url.split_once("://").unwrap();
        let authority = after.split('/').next().unwrap();
        let server = authority.rsplit('@').next().unwrap().to_owned();
        let proxy = Proxy::start(&server);
        *url = url.replace(&server, &proxy.address());
        proxy
    }

    fn of(&mut self, name: &str) -> &mut String {
        &mut self.0.iter_mut().find(|(known, _)| known == name).unwrap().1
    }

    /// A setting.
    pub fn get(&self, name: &str) -> &str {
        &self.0.iter().rfind(|(known, _)| known == name).unwrap().1
    }

    /// The same with further settings, or with others.
    pub fn with(mut self, name: &str, text: &str) -> Shared {
        self.0.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The settings, as nodes are started with them.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }
}
