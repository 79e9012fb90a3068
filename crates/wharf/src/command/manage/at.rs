//! At which registry, and in whose name: what the commands of the management API share.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use wharf_client::management::Management;
use wharf_client::{
    Client, ClientOptions, DockerLogins, Error, HostName, KnownCredentials, Retries,
};

use super::output::Output;
use crate::command::client::{docker_folder, until_interrupted};

/// The variable that names the registry where no flag does. It is no setting.
const VARIABLE: &str = "WHARF_REGISTRY";

/// The longest wait that a registry can ask for before it is told to who waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// At which registry, and how to tell what it says.
#[derive(Debug, Args)]
pub struct At {
    /// The registry; else the one in WHARF_REGISTRY, else the only one that is logged in to
    #[arg(long, global = true, value_name = "HOST", help_heading = "Registry")]
    registry: Option<HostName>,
    /// Speak plain HTTP; a registry on this machine is always spoken to so
    #[arg(long, global = true, help_heading = "Registry")]
    plain_http: bool,
    /// Print JSON, as the registry sends it
    #[arg(long, global = true, help_heading = "Registry")]
    json: bool,
}

/// The API of a registry, in the name of who is logged in there.
pub struct Session {
    /// The API.
    pub api: Management,
    /// Where to print what it says.
    pub out: Output,
}

impl At {
    /// Does something with the registry that is meant.
    pub fn run(&self, work: impl AsyncFnOnce(Session) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let host = meant(self.registry.as_ref())?;
        let client = client(self.plain_http, known()?)?;
        let api = client.registry(&host).management();
        let out = Output::new(self.json, std::io::stdout().is_terminal());
        run(&host, work(Session { api, out }))
    }
}

impl Session {
    /// The user who is logged in.
    pub async fn user(&self) -> anyhow::Result<String> {
        let whoami = self.api.whoami().await?.value;
        let Some(user) = whoami.user() else {
            bail!("{} is no user: name the user who is meant", whoami.principal);
        };
        Ok(user.to_owned())
    }
}

/// The registry that is meant.
pub fn meant(named: Option<&HostName>) -> anyhow::Result<HostName> {
    if let Some(host) = named {
        return Ok(host.clone());
    }
    if let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) {
        return text.to_string_lossy().parse().context(VARIABLE);
    }
    let hosts = logins()?.registries()?;
    match hosts.as_slice() {
        [host] => Ok(host.clone()),
        [] => bail!(
            "you are logged in to no registry: `wharf login HOST` does it, --registry HOST or {VARIABLE} names one"
        ),
        several => {
            let names: Vec<&str> = several.iter().map(HostName::as_str).collect();
            bail!(
                "you are logged in to {}: say which is meant by --registry HOST or {VARIABLE}",
                names.join(", ")
            )
        }
    }
}

/// The logins that Docker's configuration knows.
pub fn logins() -> anyhow::Result<DockerLogins> {
    let folder = docker_folder();
    let folder =
        folder.context("there is no home folder: name Docker's folder in DOCKER_CONFIG")?;
    Ok(DockerLogins::new(&folder))
}

/// The credentials that are kept there.
pub fn known() -> anyhow::Result<KnownCredentials> {
    Ok(match docker_folder() {
        Some(folder) => KnownCredentials::from_docker(&folder)?,
        None => KnownCredentials::default(),
    })
}

/// A client with these credentials.
pub fn client(plain_http: bool, credentials: KnownCredentials) -> anyhow::Result<Client> {
    let retries = Retries { longest_asked_wait: PATIENCE, ..Retries::default() };
    let options = ClientOptions { plain_http, credentials, retries, ..ClientOptions::default() };
    Ok(Client::new(options)?)
}

/// Runs a command to its end, and adds to an error what can be done about it.
pub fn run<T>(host: &HostName, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    until_interrupted(work, "interrupted").map_err(|error| match error.downcast_ref() {
        Some(Error::Unauthorized { had_credentials: false, .. }) => {
            anyhow::anyhow!("{error:#}; log in with `wharf login {host}`")
        }
        Some(Error::Unauthorized { had_credentials: true, .. }) => {
            anyhow::anyhow!("{error:#}; log in again with `wharf login {host}`")
        }
        Some(other) => match crate::command::client::advice(other) {
            Some(advice) => anyhow::anyhow!("{error:#}; {advice}"),
            None => error,
        },
        None => error,
    })
}
