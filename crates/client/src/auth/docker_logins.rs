//! Logging in and out: credentials go into Docker's configuration, or to the credential helper that it names.

use std::path::{Path, PathBuf};

use super::config_file::{self, DockerConfigError, Members};
use super::credential_helper::CredentialHelper;
use super::credentials::{DockerConfig, host_of_key};
use super::{CredentialHelperError, Credentials};
use crate::{Error, HostName};

/// Docker's own registry, which is none that is managed here.
const DOCKER_HUB: &str = "index.docker.io";

/// The logins that Docker's configuration in a folder knows.
#[derive(Clone, Debug)]
pub struct DockerLogins {
    folder: PathBuf,
}

/// Where credentials are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In Docker's configuration itself, readable for who may read the file.
    File(PathBuf),
    /// In this credential helper.
    Helper(String),
}

impl DockerLogins {
    /// Those in the file `config.json` of `folder`, which need not be there yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The registries that somebody is logged in to, Docker's own left out.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn registries(&self) -> Result<Vec<HostName>, DockerConfigError> {
        let config = DockerConfig::read(&self.folder)?;
        let mut hosts: Vec<HostName> = config
            .hosts()
            .filter(|host| host != DOCKER_HUB)
            .filter_map(|host| host.parse().ok())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        Ok(hosts)
    }

    /// Keeps credentials for a registry, in place of those that were kept.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the credential helper fails.
    pub async fn store(&self, host: &HostName, credentials: &Credentials) -> Result<Kept, Error> {
        let helper = self.helper(host)?;
        let mut entry = Members::default();
        let kept = match helper {
            Some(helper) => {
                helper.store(host.as_str(), credentials).await?;
                Kept::Helper(helper.program().to_owned())
            }
            None => {
                let encoded = serde_json::Value::from(credentials.encoded());
                entry.set("auth", encoded.to_string()).map_err(Error::Setup)?;
                Kept::File(self.folder.join(config_file::NAME))
            }
        };
        let host = host.as_str().to_owned();
        // Beside a helper an empty entry says that there is a login.
        let edit = move |members: &mut Members| {
            let mut auths = members.object("auths")?;
            auths.set(&host, entry.text(2))?;
            members.set("auths", auths.text(1))
        };
        self.change(edit).await?;
        Ok(kept)
    }

    /// Forgets a registry. Returns whether there was a login.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the credential helper fails.
    pub async fn erase(&self, host: &HostName) -> Result<bool, Error> {
        let was_there =
            DockerConfig::read(&self.folder)?.hosts().any(|known| known == host.as_str());
        if let Some(helper) = self.helper(host)? {
            helper.erase(host.as_str()).await?;
        }
        if !was_there {
            return Ok(false);
        }
        let host = host.as_str().to_owned();
        self.change(move |members| {
            let mut auths = members.object("auths")?;
            auths.remove(|key| host_of_key(key) == host);
            members.set("auths", auths.text(1))
        })
        .await?;
        Ok(true)
    }

    fn helper(&self, host: &HostName) -> Result<Option<CredentialHelper>, Error> {
        let helpers = DockerConfig::read(&self.folder)?.helpers;
        let helper = helpers.of(host.as_str()).map(CredentialHelper::named);
        helper.transpose().map_err(|error: CredentialHelperError| error.into())
    }

    /// Changes the file, on a thread that may wait for other writers.
    async fn change(
        &self,
        edit: impl FnOnce(&mut Members) -> Result<(), String> + Send + 'static,
    ) -> Result<(), Error> {
        let folder = self.folder.clone();
        let changed = tokio::task::spawn_blocking(move || config_file::change(&folder, edit)).await;
        Ok(changed.map_err(|error| Error::Setup(error.to_string()))??)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{KnownCredentials, Secret};

    fn ann() -> Credentials {
        Credentials { username: "ann".into(), password: Secret::new("s3cret") }
    }

    fn host(text: &str) -> HostName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_login_is_kept_for_its_user_alone_and_forgotten_again() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("docker");
        let logins = DockerLogins::new(&inner);
        logins.store(&host("a.example"), &ann()).await.unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&inner.join("config.json"))), (0o700, 0o600));
        assert_eq!(logins.registries().unwrap(), [host("a.example")]);
        let known = KnownCredentials::from_docker(&inner).unwrap();
        assert_eq!(known.find("a.example").await.unwrap(), Some(ann()));
        assert!(logins.erase(&host("a.example")).await.unwrap());
        assert!(!logins.erase(&host("a.example")).await.unwrap());
        let left = std::fs::read_to_string(inner.join("config.json")).unwrap();
        assert_eq!(left, "{\n\t\"auths\": {}\n}");
    }

    #[tokio::test]
    async fn everything_else_in_the_file_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let before = "{\n\t\"zeta\": [1, 1.50],\n\t\"auths\": {\n\t\t\"b.example\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t}\n\t},\n\t\"alpha\": null\n}";
        let path = folder.path().join("real.json");
        std::fs::write(&path, before).unwrap();
        std::os::unix::fs::symlink(&path, folder.path().join("config.json")).unwrap();
        let logins = DockerLogins::new(folder.path());
        assert_eq!(logins.registries().unwrap(), [host("b.example")]);
        logins.store(&host("a.example"), &ann()).await.unwrap();
        assert_eq!(logins.registries().unwrap(), [host("a.example"), host("b.example")]);
        logins.erase(&host("a.example")).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        assert!(folder.path().join("config.json").is_symlink());
    }

    #[tokio::test]
    async fn a_file_that_is_no_configuration_is_left_alone() {
        for wrong in ["", "[]", "{\"auths\": 5}", "{\"auths\": {}"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.json");
            std::fs::write(&path, wrong).unwrap();
            let logins = DockerLogins::new(folder.path());
            assert!(logins.store(&host("a.example"), &ann()).await.is_err(), "{wrong}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wrong);
        }
    }

    #[tokio::test]
    async fn logins_at_the_same_time_do_not_lose_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..16 {
            let logins = DockerLogins::new(folder.path());
            writers.spawn(async move {
                logins.store(&host(&format!("r{number}.example")), &ann()).await.map(|_| ())
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap().unwrap();
        }
        let config = DockerConfig::read(folder.path()).unwrap();
        assert_eq!(config.hosts().count(), 16);
    }
}
