//! Names and passwords, and which of them Docker's configuration knows for which registry.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::Deserialize;

use super::config_file::{self, DockerConfigError};
use super::credential_helper::{CredentialHelper, CredentialHelperError};
use crate::{HostName, Secret};

/// The name that says that a secret is an identity token, in place of a name and a password (docker's "Credential helper
/// protocol").
const IDENTITY_TOKEN: &str = "<token>";

/// A user and a password; or an identity token, by which tokens for images are got and nothing else: what `docker login`
/// keeps where a registry gives one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password, or a token that stands for it.
    pub password: Secret,
}

impl Credentials {
    /// An identity token.
    fn identity_token(token: String) -> Self {
        Self { username: IDENTITY_TOKEN.to_owned(), password: Secret::new(token) }
    }

    /// Whether it is an identity token.
    pub(crate) fn is_identity_token(&self) -> bool {
        self.username == IDENTITY_TOKEN
    }

    /// `base64(name:password)`, as it stands in Docker's configuration and behind `Basic`.
    pub(super) fn encoded(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.username, self.password.expose()))
    }

    /// `Basic` with name and password (RFC 7617); none with an identity token.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        if self.is_identity_token() {
            return None;
        }
        let mut value = HeaderValue::try_from(format!("Basic {}", self.encoded())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Which credentials are for which registry.
#[derive(Clone, Debug, Default)]
pub struct KnownCredentials {
    by_host: BTreeMap<String, Credentials>,
    helpers: Helpers,
}

/// What is read of Docker's configuration.
#[derive(Default, Deserialize)]
pub(super) struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
    #[serde(flatten)]
    pub(super) helpers: Helpers,
}

/// Which credential helper keeps what.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Helpers {
    /// For single hosts.
    #[serde(default, rename = "credHelpers")]
    by_host: BTreeMap<String, String>,
    /// For all others.
    #[serde(default, rename = "credsStore")]
    all: Option<String>,
}

impl Helpers {
    /// The name of the helper for a host.
    pub(super) fn of(&self, host: &str) -> Option<&str> {
        let all = self.all.as_ref();
        self.by_host.get(host).or(all).map(String::as_str).filter(|name| !name.is_empty())
    }
}

#[derive(Deserialize)]
struct DockerAuth {
    #[serde(default)]
    auth: Secret64,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
}

impl DockerAuth {
    fn credentials(self) -> Option<Credentials> {
        if self.identity_token.is_empty() {
            return self.auth.credentials();
        }
        Some(Credentials::identity_token(self.identity_token))
    }
}

/// A base64 text that holds a password; it must not be printed with an error.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Secret64(String);

impl KnownCredentials {
    /// Lets `credentials` be those for `host`, whatever was known before.
    pub fn insert(&mut self, host: &HostName, credentials: Credentials) {
        self.by_host.insert(host.as_str().to_owned(), credentials);
    }

    /// The credentials for a host and port.
    pub(super) fn get(&self, host: &str) -> Option<&Credentials> {
        let default = || host.strip_suffix(":443").and_then(|host| self.by_host.get(host));
        self.by_host.get(host).or_else(default)
    }

    /// The credentials for a host and port: those at hand, else those that its credential helper has.
    pub(super) async fn find(
        &self,
        host: &str,
    ) -> Result<Option<Credentials>, CredentialHelperError> {
        match (self.get(host), self.helpers.of(host)) {
            (Some(credentials), _) => Ok(Some(credentials.clone())),
            (None, Some(name)) => CredentialHelper::named(name)?.get(host).await,
            (None, None) => Ok(None),
        }
    }

    /// The credentials that `docker login` keeps in the file `config.json` of `folder`; none, where there is no
    /// such file. Credential helpers that it names are asked when a registry wants to know who one is.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn from_docker(folder: &Path) -> Result<Self, DockerConfigError> {
        let config = DockerConfig::read(folder)?;
        let by_host = config
            .auths
            .into_iter()
            .filter_map(|(key, auth)| Some((host_of_key(&key), auth.credentials()?)))
            .collect();
        Ok(Self { by_host, helpers: config.helpers })
    }
}

impl DockerConfig {
    /// The file `config.json` of `folder`; empty, where there is none.
    pub(super) fn read(folder: &Path) -> Result<Self, DockerConfigError> {
        let path = folder.join(config_file::NAME);
        match config_file::read(&path)? {
            Some(bytes) => config_file::parse(&path, &bytes),
            None => Ok(Self::default()),
        }
    }

    /// The hosts of registries that somebody is logged in to.
    pub(super) fn hosts(&self) -> impl Iterator<Item = String> {
        self.auths.keys().map(|key| host_of_key(key))
    }
}

/// The host in a key, which may be a whole address: `https://registry.example/v1/`.
pub(super) fn host_of_key(key: &str) -> String {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_ascii_lowercase()
}

impl Secret64 {
    /// `base64(name:password)`; `None` where it is empty, as beside a credential helper, or not that.
    fn credentials(&self) -> Option<Credentials> {
        let text = String::from_utf8(STANDARD.decode(self.0.trim()).ok()?).ok()?;
        let (username, password) = text.trim_end_matches('\0').split_once(':')?;
        let password = Secret::new(password);
        (!username.is_empty()).then(|| Credentials { username: username.to_owned(), password })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_passwords_of_docker_login_are_found_by_host() {
        let folder = tempfile::tempdir().unwrap();
        let config = r#"{"auths": {
            "https://Registry.example/v1/": {"auth": "YW5uOnM6M2NyZXQ="},
            "localhost:5000": {"auth": "Ym9iOnB3"},
            "token.example": {"auth": "Ym9iOg==", "identitytoken": "abc"},
            "helper.example": {}
        }, "credsStore": "desktop"}"#;
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let known = KnownCredentials::from_docker(folder.path()).unwrap();
        let ann = known.get("registry.example").unwrap();
        assert_eq!((ann.username.as_str(), ann.password.expose()), ("ann", "s:3cret"));
        assert_eq!(known.get("registry.example:443"), Some(ann));
        assert_eq!(known.get("localhost:5000").unwrap().username, "bob");
        let token = known.get("token.example").unwrap();
        assert!(token.is_identity_token() && token.header().is_none());
        assert_eq!(token.password.expose(), "abc");
        assert_eq!(known.get("helper.example"), None);
        assert_eq!(known.get("other.example"), None);
    }

    #[test]
    fn nothing_printed_shows_a_password() {
        let credentials = Credentials { username: "ann".into(), password: Secret::new("s3cret") };
        assert!(!format!("{credentials:?}").contains("s3cret"));
        let folder = tempfile::tempdir().unwrap();
        let config = r#"{"auths": {"a.example": {"auth": 53, "password": "s3cret"}}}"#;
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let error = KnownCredentials::from_docker(folder.path()).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
        assert!(!error.to_string().contains("53,"), "{error}");
    }

    #[test]
    fn no_file_is_no_credentials() {
        let folder = tempfile::tempdir().unwrap();
        assert!(KnownCredentials::from_docker(folder.path()).unwrap().by_host.is_empty());
    }
}
