//! Several `wharf serve` for one test, with one nginx in front that asks each in its turn.

use tempfile::TempDir;

use super::nginx::{Nginx, Rules};
use super::registry::Registry;
use super::server::{Process, Server};

/// The nodes and what stands before them. Dropping it ends all of them.
pub struct Nodes {
    nodes: Vec<Node>,
    nginx: Nginx,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

struct Node {
    server: Option<Server>,
    /// Where it is or was: nginx goes on asking one that is down, as it does in life.
    address: String,
}

impl Nodes {
    /// Starts so many nodes with the same settings. Where these name no stores, each node has its own in a folder
    /// of its own, and they know nothing of each other.
    pub fn start(count: usize, settings: &[(&str, &str)]) -> Nodes {
        Nodes::start_behind(count, settings, Rules::default())
    }

    /// The same behind an nginx with these rules.
    pub fn start_behind(count: usize, settings: &[(&str, &str)], rules: Rules<'_>) -> Nodes {
        let folder = TempDir::new().unwrap();
        let mut settings: Vec<(String, String)> =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        settings.push(("WHARF_HTTP_TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned()));
        // All at once: they find out among themselves who makes the database.
        let launched: Vec<Process> =
            (0..count).map(|index| launch(&folder, index, &settings)).collect();
        let nodes: Vec<Node> = launched
            .into_iter()
            .map(Process::ready)
            .map(|server| Node { address: server.address(), server: Some(server) })
            .collect();
        let nginx = Nginx::start(&folder.path().join("nginx"), &addresses(&nodes), rules);
        Nodes { nodes, nginx, settings, folder }
    }

    /// A client that speaks to the nodes through nginx, each of its requests to the next one.
    pub fn registry(&self) -> Registry {
        Registry::at(&self.address())
    }

    /// nginx's `127.0.0.1:PORT`, as it stands before a repository name.
    pub fn address(&self) -> String {
        self.nginx.address()
    }

    /// A node that runs.
    pub fn node(&self, index: usize) -> &Server {
        self.nodes[index].server.as_ref().expect("this node runs")
    }

    /// SIGKILL to a node. nginx is not told.
    pub fn kill(&mut self, index: usize) {
        self.take(index).kill();
    }

    /// Asks a node to stop, and waits until it has. nginx is not told.
    pub fn stop(&mut self, index: usize) {
        let mut server = self.take(index);
        server.begin_stop();
        let status = server.ended();
        assert!(status.success(), "node {index}: {status}\n{}", server.log());
    }

    /// Starts a node again that is down, and tells nginx where it is now.
    pub fn start_again(&mut self, index: usize) {
        assert!(self.nodes[index].server.is_none(), "node {index} runs already");
        let server = launch(&self.folder, index, &self.settings).ready();
        self.nodes[index] = Node { address: server.address(), server: Some(server) };
        self.nginx.stand_before(&addresses(&self.nodes));
    }

    fn take(&mut self, index: usize) -> Server {
        self.nodes[index].server.take().expect("this node runs")
    }
}

fn launch(folder: &TempDir, index: usize, settings: &[(String, String)]) -> Process {
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Process::launch(&folder.path().join(format!("node-{index}")), &settings)
}

fn addresses(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| node.address.clone()).collect()
}
