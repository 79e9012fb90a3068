//! Names and passwords, and the file in which `docker login` keeps them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::Deserialize;

use crate::{HostName, Secret};

/// The largest configuration of Docker that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password, or a token that stands for it.
    pub password: Secret,
}

impl Credentials {
    /// `Basic` with name and password (RFC 7617).
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = format!("{}:{}", self.username, self.password.expose());
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Which credentials are for which registry.
#[derive(Clone, Debug, Default)]
pub struct KnownCredentials {
    by_host: BTreeMap<String, Credentials>,
}

/// Why Docker's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DockerConfigError {
    /// It cannot be read.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is not Docker's configuration.
    #[error("{} is no configuration of Docker: {reason}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    #[serde(default)]
    auth: Secret64,
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

    /// The credentials that `docker login` keeps in the file `config.json` of `folder`; none, where there is no
    /// such file. Those in a credential helper are not read.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn from_docker(folder: &Path) -> Result<Self, DockerConfigError> {
        let path = folder.join("config.json");
        let content = |reason: String| DockerConfigError::Content { path: path.clone(), reason };
        let bytes = match read_limited(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(content(format!("it is larger than {MAX_CONFIG} bytes"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(reason) => return Err(DockerConfigError::File { path, reason }),
        };
        // The parser's own message could quote a password; its place is enough.
        let config: DockerConfig = serde_json::from_slice(&bytes).map_err(|error| {
            content(format!("line {}, column {}", error.line(), error.column()))
        })?;
        let by_host = config
            .auths
            .into_iter()
            .filter_map(|(key, auth)| Some((host_of_key(&key), auth.auth.credentials()?)))
            .collect();
        Ok(Self { by_host })
    }
}

fn read_limited(path: &Path) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_CONFIG + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_CONFIG).then_some(bytes))
}

/// The host in a key, which may be a whole address: `https://registry.example/v1/`.
fn host_of_key(key: &str) -> String {
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
            "helper.example": {}
        }, "credsStore": "desktop"}"#;
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let known = KnownCredentials::from_docker(folder.path()).unwrap();
        let ann = known.get("registry.example").unwrap();
        assert_eq!((ann.username.as_str(), ann.password.expose()), ("ann", "s:3cret"));
        assert_eq!(known.get("registry.example:443"), Some(ann));
        assert_eq!(known.get("localhost:5000").unwrap().username, "bob");
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
