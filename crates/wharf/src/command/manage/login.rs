//! `wharf login`: verifies a login at a registry, and keeps it where docker finds it too.

use anyhow::{Context as _, bail};
use clap::Args;
use wharf_client::management::{DeviceToken, Management};
use wharf_client::{Credentials, Error, HostName, Kept, KnownCredentials};
use wharf_core::access::Role;

use super::at;
use super::output::tell;
use super::terminal;
use crate::command::admin::roles;
use crate::command::client::password;

/// What the help tells beside the flags.
const KEPT: &str = "\
The login is kept in Docker's configuration (DOCKER_CONFIG, else ~/.docker), or by the credential helper that it names
(credsStore, credHelpers): `docker login` and `wharf login` find each other's. Nothing is kept that the registry refuses.";

/// The arguments of `wharf login`.
#[derive(Debug, Args)]
#[command(after_long_help = KEPT)]
pub struct Login {
    /// The registry; else the one in WHARF_REGISTRY, else the only one that is logged in to
    #[arg(value_name = "HOST")]
    registry: Option<HostName>,
    /// The user's name, or NAMESPACE+NAME of a robot
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from the standard input
    #[arg(long)]
    password_stdin: bool,
    /// Log in by a personal token or a robot's secret, in place of the password; the registry knows whose it is
    #[arg(long, conflicts_with = "username")]
    token: bool,
    /// Log in on a page that any browser can open, without a password here
    #[arg(long, conflicts_with_all = ["username", "password_stdin", "token"])]
    device: bool,
    /// What the login is to be good for, at most: `admin` to manage things too
    #[arg(long, value_parser = roles(), default_value = "write", requires = "device")]
    role: Role,
    /// Speak plain HTTP; a registry on this machine is always spoken to so
    #[arg(long)]
    plain_http: bool,
}

/// Logs in.
pub fn execute(command: &Login) -> anyhow::Result<()> {
    let host = at::meant(command.registry.as_ref())?;
    at::run(&host, log_in(command, &host))
}

async fn log_in(command: &Login, host: &HostName) -> anyhow::Result<()> {
    let credentials = credentials(command, host).await?;
    verify(command, host, &credentials).await?;
    let kept = at::logins()?.store(host, &credentials).await?;
    tell(&format!("logged in to {host} as {}", credentials.username));
    match kept {
        Kept::File(path) => tell(&format!(
            "the login is kept in {}, for who can read that file; a credential helper keeps it safer",
            path.display()
        )),
        Kept::Helper(program) => tell(&format!("the login is kept by {program}")),
    }
    Ok(())
}

async fn credentials(command: &Login, host: &HostName) -> anyhow::Result<Credentials> {
    let nobody = at::client(command.plain_http, KnownCredentials::default())?;
    let api = nobody.registry(host).management();
    if command.device {
        let DeviceToken { token, user } = let_in(&api, host, command.role).await?;
        let username = match user {
            Some(user) => user,
            None => api.whose(&token).await?.value.login_name().to_owned(),
        };
        return Ok(Credentials { username, password: token });
    }
    if command.token {
        let password = match command.password_stdin {
            true => password().context("the token cannot be read")?,
            false => terminal::ask_secret("Token").await?,
        };
        let whose = api.whose(&password).await.map_err(|error| refused(error, host))?;
        return Ok(Credentials { username: whose.value.login_name().to_owned(), password });
    }
    let username = match &command.username {
        Some(name) => name.clone(),
        None if !command.password_stdin && terminal::is_there() => terminal::ask("Name").await?,
        None => bail!("say who you are by --username NAME, or give a token by --token"),
    };
    if username.is_empty() || username.contains(':') {
        bail!("{username:?} is no name: it must not be empty, and has no colon");
    }
    let password = match command.password_stdin {
        true => password().context("the password cannot be read")?,
        false => terminal::ask_secret("Password").await?,
    };
    Ok(Credentials { username, password })
}

/// Has a person let this program in, on a page of the registry.
async fn let_in(api: &Management, host: &HostName, role: Role) -> anyhow::Result<DeviceToken> {
    let client = this_device();
    let code = match api.begin_device_login(&client, role.name()).await {
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => {
            bail!("{host} lets no devices in: log in by a name and a password, or by --token");
        }
        code => code?,
    };
    match &code.verification_uri_complete {
        Some(page) => tell(&format!("open {page}")),
        None => tell(&format!("open {}", code.verification_uri)),
    }
    tell(&format!("and confirm there that the code is {}", code.user_code));
    Ok(api.end_device_login(&client, &code).await?)
}

/// What asks, for who is to let it in.
fn this_device() -> String {
    format!("wharf login on {}", rustix::system::uname().nodename().to_string_lossy())
}

/// Whether the registry lets in whoever comes so, by the way that pulls and pushes take.
async fn verify(command: &Login, host: &HostName, credentials: &Credentials) -> anyhow::Result<()> {
    let mut known = KnownCredentials::default();
    known.insert(host, credentials.clone());
    let registry = at::client(command.plain_http, known)?.registry(host);
    registry.ping().await.map_err(|error| refused(error, host))?;
    // A registry without this API knows nobody whom it could tell of.
    match registry.management().whoami().await {
        Err(error @ Error::Unauthorized { .. }) => Err(refused(error, host)),
        _ => Ok(()),
    }
}

/// A refusal in words for who is just logging in.
fn refused(error: Error, host: &HostName) -> anyhow::Error {
    match error {
        Error::Unauthorized { reason, .. } => anyhow::anyhow!("{host} does not let in: {reason}"),
        error => error.into(),
    }
}
