//! What the commands that talk to registries share: their flags, and the client made of them.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use wharf_client::{
    Client, ClientOptions, Credentials, Error, HostName, ImageAddress, KnownCredentials,
    RegistrySource, Secret,
};
use wharf_oci::Reference;

/// The longest password read, in bytes.
const MAX_PASSWORD: u64 = 64 << 10;

/// How to reach a registry, and as whom.
#[derive(Debug, Args)]
pub struct Connection {
    /// Speak plain HTTP; a registry on this machine is always spoken to so
    #[arg(long)]
    plain_http: bool,
    /// The user's name; without it, what `docker login` keeps is used
    #[arg(long, requires = "password_stdin", value_name = "NAME")]
    username: Option<String>,
    /// Read the password from the standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

/// How to copy.
#[derive(Debug, Args)]
pub struct Copying {
    /// How many layers move at once
    #[arg(long, default_value = "4", value_name = "N")]
    pub jobs: NonZeroUsize,
    /// Copy signatures, attestations and other referrers, too
    #[arg(long)]
    pub referrers: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Connection {
    /// A client; the name and password on the command line are for `host`.
    pub fn client(&self, host: &HostName) -> anyhow::Result<Client> {
        let mut credentials = match docker_folder() {
            Some(folder) => KnownCredentials::from_docker(&folder)?,
            None => KnownCredentials::default(),
        };
        if let Some(username) = &self.username {
            let password = password().context("the password cannot be read")?;
            credentials.insert(host, Credentials { username: username.clone(), password });
        }
        let plain_http = self.plain_http;
        Ok(Client::new(ClientOptions { plain_http, credentials, ..ClientOptions::default() })?)
    }
}

/// The source that is meant: an image, or where its tag stood at a time.
pub(super) fn source(
    client: &Client,
    from: &ImageAddress,
    as_of: Option<jiff::Timestamp>,
) -> anyhow::Result<RegistrySource> {
    let repository = client.registry(&from.host).repository(&from.repository);
    match (as_of, from.reference()) {
        (None, reference) => Ok(RegistrySource::new(repository, reference)),
        (Some(at), Reference::Tag(tag)) => {
            Ok(RegistrySource::as_of(repository, tag, at.to_string()))
        }
        (Some(_), Reference::Digest(_)) => {
            bail!("--as-of is for a tag; {from} is the same at all times")
        }
    }
}

/// Where `docker login` keeps its configuration.
pub(super) fn docker_folder() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".docker")))
}

/// A password on the standard input.
pub(super) fn password() -> anyhow::Result<Secret> {
    if stdin().is_terminal() {
        bail!("--password-stdin reads a pipe or a file; for example: pass show registry | wharf …");
    }
    let mut text = String::new();
    stdin().take(MAX_PASSWORD).read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("the standard input is empty");
    }
    Ok(Secret::new(text))
}

/// Runs a command of the client, tells the registry's warnings, and adds to an error what can be done about it.
pub fn run<T>(client: &Client, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let interrupted = "interrupted; what was copied stays, and the same command goes on from there";
    let result = until_interrupted(work, interrupted);
    for warning in client.take_warnings() {
        eprintln!("wharf: the registry warns: {warning}");
    }
    result.map_err(|error| match error.downcast_ref().and_then(advice) {
        Some(advice) => anyhow::anyhow!("{error:#}; {advice}"),
        None => error,
    })
}

/// Does something until it is done or somebody interrupts it; `said` is what they are told then.
pub(super) fn until_interrupted<T>(
    work: impl Future<Output = anyhow::Result<T>>,
    said: &'static str,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                bail!(said)
            }
        }
    });
    // A thread may still wait for a slow disk or for somebody to type; nobody needs what it does.
    runtime.shutdown_background();
    result
}

/// What can be done about an error.
pub(super) fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::Unauthorized { had_credentials: false, .. } => Some(
            "log in with `wharf login` or `docker login`, or give --username and --password-stdin",
        ),
        Error::Unauthorized { had_credentials: true, .. } => {
            Some("check the name and password, and what the user may do there")
        }
        Error::Tls { is_plain: true, .. } => {
            Some("if the registry speaks plain HTTP, give --plain-http")
        }
        Error::Tls { .. } => {
            Some("if its certificate is your own, name the file to trust in SSL_CERT_FILE")
        }
        Error::Unreachable { .. } => Some("check the host, its port, and that the registry runs"),
        _ => None,
    }
}
