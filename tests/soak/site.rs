//! The nodes, what they stand on, and a way before each that can be cut. Nodes come and go; ways stay where they are.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::forging::strange_key;
use crate::house;
use crate::rows::Rows;
use crate::store::Store;
use crate::support::engines::{Proxies, Shared};
use crate::support::program::{attempt, wait_until};
use crate::support::proxy::Proxy;
use crate::support::registry::Registry;
use crate::support::server::{Process, Server, program};

/// What is the same on all set-ups: everyone has rights of their own, nobody is limited, and policies run all the time.
const ALWAYS: [(&str, &str); 6] = [
    ("WHARF_ACCESS_CONTROL", "true"),
    ("WHARF_ACCESS_TOKEN_LIFE", "1h"),
    ("WHARF_LIMITS_EXEMPT_NETWORKS", "127.0.0.1/32"),
    ("WHARF_LIMITS_EXEMPT_PRINCIPALS", "user:root"),
    ("WHARF_GARBAGE_INTERVAL", "100ms"),
    ("WHARF_RETENTION_INTERVAL", "1s"),
];

/// Waits of one machine, and the shortest grace that they allow.
const ON_ONE_MACHINE: (Duration, [(&str, &str); 4]) = (
    Duration::from_millis(3100),
    [
        ("WHARF_GARBAGE_GRACE", "3100ms"),
        ("WHARF_UPLOADS_LIFETIME", "1s"),
        ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "1s"),
        ("WHARF_DATABASE_TIMEOUT", "1s"),
    ],
);

/// Those of nodes, whose requests cross a network.
const ON_NODES: (Duration, [(&str, &str); 5]) = (
    Duration::from_millis(6100),
    [
        ("WHARF_GARBAGE_GRACE", "6100ms"),
        ("WHARF_UPLOADS_LIFETIME", "2s"),
        ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "2s"),
        ("WHARF_DATABASE_TIMEOUT", "2s"),
        ("WHARF_BLOBS_TIMEOUT", "10s"),
    ],
);

/// Time to start, or to find that all is well again.
const RECOVERY: Duration = Duration::from_secs(60);

pub struct Site {
    nodes: Vec<Node>,
    pub engines: Option<Proxies>,
    /// How nodes reach what they stand on: through the proxies.
    settings: Vec<(String, String)>,
    /// How commands and the test itself reach it.
    shared: Option<Shared>,
    pub grace: Duration,
    folder: TempDir,
    _keys: Option<TempDir>,
}

struct Node {
    server: Option<Server>,
    way: Proxy,
}

impl Site {
    /// One node on SQLite and files.
    pub fn on_one_machine() -> Site {
        let (grace, waits) = ON_ONE_MACHINE;
        let settings = owned(&[&ALWAYS[..], &waits].concat());
        let folder = TempDir::new().unwrap();
        let mut site = Site {
            nodes: Vec::new(),
            engines: None,
            settings,
            shared: None,
            grace,
            folder,
            _keys: None,
        };
        site.people();
        site.nodes.push(site.node(0));
        site
    }

    /// So many nodes on PostgreSQL, a bucket and Redis.
    pub fn of_nodes(count: usize) -> Site {
        let (grace, waits) = ON_NODES;
        let keys = strange_key();
        let mut shared = Shared::new().with("WHARF_ACCESS_KEYS", keys.path().to_str().unwrap());
        for (name, text) in ALWAYS.iter().chain(&waits) {
            shared = shared.with(name, text);
        }
        let (behind, engines) = shared.clone().behind_proxies();
        let (settings, folder) = (owned(&behind.settings()), TempDir::new().unwrap());
        let mut site = Site {
            nodes: Vec::new(),
            engines: Some(engines),
            settings,
            shared: Some(shared),
            grace,
            folder,
            _keys: Some(keys),
        };
        site.nodes = (0..count).map(|index| site.node(index)).collect();
        site.people();
        site
    }

    fn node(&self, index: usize) -> Node {
        let server = self.launch(index).ready();
        Node { way: Proxy::start(&server.address()), server: Some(server) }
    }

    fn launch(&self, index: usize) -> Process {
        let settings: Vec<_> =
            self.settings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Process::launch(&self.data(index), &settings)
    }

    fn data(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("node-{index}"))
    }

    /// An administrator, and their organization.
    fn people(&self) {
        self.admin(&["create", "root", "--password-stdin"]);
        self.admin(&["org", "soak", "--owner", "root"]);
    }

    fn admin(&self, arguments: &[&str]) -> String {
        house::admin(&self.data(0), &self.direct(), arguments)
    }

    /// The settings of commands, which no trouble reaches.
    fn direct(&self) -> Vec<(&str, &str)> {
        match &self.shared {
            Some(shared) => shared.settings(),
            None => {
                self.settings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
            }
        }
    }

    /// How the administrator logs in.
    pub fn login(&self) -> String {
        house::basic("root", &self.admin(&["token", "root", "--role", "admin"]))
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub fn ways(&self) -> impl Iterator<Item = &Proxy> {
        self.nodes.iter().map(|node| &node.way)
    }

    pub fn rows(&self) -> Rows {
        match &self.shared {
            Some(shared) => Rows::of_postgres(shared.get("WHARF_DATABASE_DIRECT_URL")),
            None => Rows::of_sqlite(&self.data(0).join("metadata.sqlite")),
        }
    }

    pub fn store(&self) -> Store {
        match &self.shared {
            Some(shared) => Store::bucket(shared),
            None => Store::folder(&self.data(0).join("blobs")),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self, index: usize) {
        self.nodes[index].server.take().expect("this node runs").kill();
    }

    /// Starts a node that was killed; `stumbling` kills it once more on its way.
    pub fn start_again(&mut self, index: usize, stumbling: Option<Duration>) {
        if let Some(after) = stumbling {
            let starting = self.launch(index);
            std::thread::sleep(after);
            starting.kill();
        }
        let server = self.launch(index).ready();
        self.nodes[index].way.stand_before(&server.address());
        self.nodes[index].server = Some(server);
    }

    /// Waits until every node says that it is ready.
    pub fn recovers(&self) {
        for way in self.ways() {
            let registry = Registry::at(&way.address());
            wait_until("the node is ready", RECOVERY, || {
                registry.get("/readyz").is_ok_and(|reply| reply.status == 200)
            });
        }
    }

    /// Has jobs run that would rest for longer than a soak lasts; and garbage be collected, though it always is.
    pub fn hasten(&self) {
        self.command(&["gc", "run"]);
        for job in ["uploads.expire", "staging.collect", "retention.schedule", "usage.count"] {
            self.has_run(job);
        }
    }

    /// Has a job run before its time.
    pub fn has_run(&self, job: &str) {
        self.command(&["jobs", "run", job]);
    }

    fn command(&self, words: &[&str]) {
        let mut command = Command::new(program());
        command.args(words).arg("--data").arg(self.data(0)).envs(self.direct());
        if let Err(said) = attempt(&mut command) {
            println!("{said}");
        }
    }

    /// What all nodes have written so far, also those that were killed.
    pub fn logs(&self) -> String {
        let nodes = self.nodes.iter().filter_map(|node| node.server.as_ref());
        nodes.map(Server::whole_log).collect()
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
