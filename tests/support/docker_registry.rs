//! Debian's `docker-registry` for one test: a registry of the distribution project, on a folder or a bucket, ended on drop.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::engines::Shared;
use super::program;
use super::registry::Registry;

/// No start takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where its store is, in the words of its configuration.
pub struct Storage(String);

impl Storage {
    /// In a folder.
    pub fn folder(folder: &Path) -> Storage {
        Storage(format!("filesystem: {{rootdirectory: {:?}}}", folder.display().to_string()))
    }

    /// In the bucket of these settings, below this prefix of it.
    pub fn bucket(shared: &Shared, bucket: &str, prefix: &str) -> Storage {
        let [endpoint, key, secret, region] =
            ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]
                .map(|name| shared.get(name));
        Storage(format!(
            "s3: {{regionendpoint: {endpoint:?}, accesskey: {key:?}, secretkey: {secret:?}, region: {region:?}, \
             bucket: {bucket:?}, rootdirectory: \"/{prefix}\", secure: false}}"
        ))
    }
}

/// A running registry.
pub struct DockerRegistry {
    child: Child,
    address: String,
}

impl DockerRegistry {
    /// Starts one, with its configuration and log in this folder, and waits until it answers.
    pub fn start(folder: &Path, storage: &Storage) -> DockerRegistry {
        fs::create_dir_all(folder).unwrap();
        // It takes no socket over, so a free port is asked for and given back.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let (configuration, log) = (folder.join("config.yml"), folder.join("registry.log"));
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{{}, delete: {{enabled: true}}}}\n\
             http: {{addr: \"{address}\", relativeurls: true}}\n",
            storage.0
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(&configuration)
            // It cannot trust a further authority and count its requests.
            .env_remove("AWS_CA_BUNDLE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let child = command.spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{}", program::missing("docker-registry", &error)));
        let mut started = DockerRegistry { child, address };
        let registry = started.registry();
        program::wait_until("docker-registry answers", PATIENCE, || {
            let ended = started.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap());
            registry.get("/v2/").is_ok_and(|reply| reply.status == 200)
        });
        started
    }

    /// `127.0.0.1:PORT`, as it stands before a repository name.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A client that speaks to it.
    pub fn registry(&self) -> Registry {
        Registry::at(&self.address)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        program::end(&mut self.child, PATIENCE);
    }
}
