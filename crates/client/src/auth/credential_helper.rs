//! Credential helpers: programs `docker-credential-NAME` that keep passwords elsewhere than in a file (docker's
//! "Credential helper protocol").

use std::io;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::Credentials;
use crate::Secret;

/// How long a helper may take. It may ask its user to unlock something.
const LIMIT: Duration = Duration::from_secs(60);

/// The most bytes read of a helper's answer.
const MAX_ANSWER: u64 = 1 << 20;

/// What a helper says where it has nothing for a registry. It is a part of the protocol.
const NOT_FOUND: &str = "credentials not found";

/// Why a credential helper was of no use.
#[derive(Debug, thiserror::Error)]
pub enum CredentialHelperError {
    /// It has no name that a program may have.
    #[error("{0:?} in Docker's configuration is no name of a credential helper")]
    Name(String),
    /// It cannot be run.
    #[error("{program}, which Docker's configuration names, cannot be run: {reason}")]
    Run {
        /// The program.
        program: String,
        /// What the system says.
        reason: io::Error,
    },
    /// It says no.
    #[error("{program} {verb} failed: {reason}")]
    Failed {
        /// The program.
        program: String,
        /// What it was to do.
        verb: &'static str,
        /// What it said.
        reason: String,
    },
    /// It takes too long.
    #[error("{program} {verb} did not end within {} s", .after.as_secs_f32())]
    Late {
        /// The program.
        program: String,
        /// What it was to do.
        verb: &'static str,
        /// How long was waited.
        after: Duration,
    },
}

/// A credential helper.
pub(super) struct CredentialHelper {
    program: String,
    limit: Duration,
}

/// What a helper takes and gives.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default, rename = "ServerURL")]
    server: String,
    username: String,
    secret: String,
}

impl CredentialHelper {
    /// The helper `docker-credential-NAME` on the search path.
    pub(super) fn named(name: &str) -> Result<Self, CredentialHelperError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(CredentialHelperError::Name(name.to_owned()));
        }
        Ok(Self { program: format!("docker-credential-{name}"), limit: LIMIT })
    }

    /// The program's name.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// What it has for a registry.
    pub(super) async fn get(
        &self,
        server: &str,
    ) -> Result<Option<Credentials>, CredentialHelperError> {
        let (done, said) = self.run("get", server).await?;
        if !done && said.to_ascii_lowercase().contains(NOT_FOUND) {
            return Ok(None);
        }
        if !done {
            return Err(self.failed("get", &said));
        }
        // The parser's message could quote the secret.
        let entry: Entry = serde_json::from_str(&said)
            .map_err(|_| self.failed("get", "its answer is not what the protocol wants"))?;
        let password = Secret::new(entry.secret);
        let is_login = !entry.username.is_empty();
        Ok(is_login.then_some(Credentials { username: entry.username, password }))
    }

    /// Gives it the credentials for a registry to keep.
    pub(super) async fn store(
        &self,
        server: &str,
        credentials: &Credentials,
    ) -> Result<(), CredentialHelperError> {
        let entry = Entry {
            server: server.to_owned(),
            username: credentials.username.clone(),
            secret: credentials.password.expose().to_owned(),
        };
        let entry = serde_json::to_string(&entry)
            .map_err(|error| self.failed("store", &error.to_string()))?;
        match self.run("store", &entry).await? {
            (true, _) => Ok(()),
            (false, said) => Err(self.failed("store", &said)),
        }
    }

    /// Has it forget a registry. To have known nothing of it is no error.
    pub(super) async fn erase(&self, server: &str) -> Result<(), CredentialHelperError> {
        match self.run("erase", server).await? {
            (false, said) if !said.to_ascii_lowercase().contains(NOT_FOUND) => {
                Err(self.failed("erase", &said))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, verb: &'static str, reason: &str) -> CredentialHelperError {
        let reason = crate::error::printable(reason.trim());
        CredentialHelperError::Failed { program: self.program.clone(), verb, reason }
    }

    /// Runs it to its end: whether it succeeded, and what it said.
    async fn run(
        &self,
        verb: &'static str,
        input: &str,
    ) -> Result<(bool, String), CredentialHelperError> {
        let error = |reason| CredentialHelperError::Run { program: self.program.clone(), reason };
        let child = Command::new(&self.program)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(error)?;
        match tokio::time::timeout(self.limit, converse(child, input)).await {
            Ok(answer) => answer.map_err(error),
            Err(_) => {
                let program = self.program.clone();
                Err(CredentialHelperError::Late { program, verb, after: self.limit })
            }
        }
    }
}

/// Tells a program its input and hears its output to the end, side by side.
async fn converse(mut child: Child, input: &str) -> io::Result<(bool, String)> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // One that does not read what it is told says itself what it is missing.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let hear = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
        }
        Ok::<_, io::Error>(bytes)
    };
    let ((), bytes) = tokio::join!(tell, hear);
    let status = child.wait().await?;
    Ok((status.success(), String::from_utf8_lossy(&bytes?).into_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn helper(script: &str) -> (tempfile::TempDir, CredentialHelper) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = path.to_str().unwrap().to_owned();
        (folder, CredentialHelper { program, limit: LIMIT })
    }

    #[tokio::test]
    async fn what_a_helper_has_is_read_and_what_it_has_not_is_nothing() {
        let (_folder, has) =
            helper(r#"read server; echo '{"Username":"ann","Secret":"s3cret of '$server'"}'"#);
        let found = has.get("a.example:5000").await.unwrap().unwrap();
        assert_eq!(found.username, "ann");
        assert_eq!(found.password.expose(), "s3cret of a.example:5000");
        let (_folder, none) = helper("echo credentials not found in native keychain; exit 1");
        assert_eq!(none.get("a.example").await.unwrap(), None);
        none.erase("a.example").await.unwrap();
        let (_folder, token) = helper(r#"echo '{"Username":"<token>","Secret":"x"}'"#);
        assert!(token.get("a.example").await.unwrap().unwrap().is_identity_token());
    }

    #[tokio::test]
    async fn a_helper_that_fails_says_why_and_no_secret() {
        let (_folder, locked) = helper("echo the keychain is locked; exit 1");
        let error = locked.get("a.example").await.unwrap_err().to_string();
        assert!(error.ends_with("get failed: the keychain is locked"), "{error}");
        let (_folder, wrong) = helper(r#"echo '{"Username":53,"Secret":"s3cret"}'"#);
        let error = wrong.get("a.example").await.unwrap_err().to_string();
        assert!(error.contains("not what the protocol wants"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[tokio::test]
    async fn a_helper_that_does_not_end_is_given_up() {
        let (_folder, mut slow) = helper("exec sleep 600");
        slow.limit = Duration::from_millis(20);
        let error = slow.get("a.example").await.unwrap_err();
        assert!(matches!(error, CredentialHelperError::Late { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_helper_is_a_program_of_the_search_path_and_no_other() {
        for name in ["", "../../bin/sh", "a b", "x;y"] {
            assert!(matches!(CredentialHelper::named(name), Err(CredentialHelperError::Name(_))));
        }
        let missing = CredentialHelper::named("that-nobody-has").unwrap();
        let error = missing.get("a.example").await.unwrap_err();
        assert!(matches!(error, CredentialHelperError::Run { .. }), "{error}");
    }
}
