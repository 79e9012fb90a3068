//! `wharf ls`: the repositories of a registry, or the tags of a repository.

use std::io::{Write as _, stdout};
use std::str::FromStr;

use clap::Args;
use wharf_client::{AddressError, Client, Error, HostName, ImageAddress};

use super::client::{self, Connection};

/// The arguments of `wharf ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// A registry, or a repository in it
    #[arg(value_name = "HOST[/REPO]")]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What to list.
#[derive(Clone, Debug)]
enum Place {
    Registry(HostName),
    Repository(ImageAddress),
}

impl FromStr for Place {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.trim_end_matches('/') {
            host if !host.contains('/') => Ok(Self::Registry(host.parse()?)),
            address => Ok(Self::Repository(address.parse()?)),
        }
    }
}

impl Place {
    fn host(&self) -> &HostName {
        match self {
            Self::Registry(host) => host,
            Self::Repository(address) => &address.host,
        }
    }
}

/// Lists.
pub fn execute(command: &Ls) -> anyhow::Result<()> {
    if let Place::Repository(address) = &command.place
        && (address.tag.is_some() || address.digest.is_some())
    {
        anyhow::bail!("{address} is one image; look at it with `wharf inspect {address}`");
    }
    let client = command.connection.client(command.place.host())?;
    client::run(&client, list(command, &client))
}

async fn list(command: &Ls, client: &Client) -> anyhow::Result<()> {
    let registry = client.registry(command.place.host());
    let (mut names, what) = match &command.place {
        Place::Registry(_) => {
            (registry.repositories()?, "the registry does not list its repositories to you")
        }
        Place::Repository(address) => {
            (registry.repository(&address.repository).tags()?, "check the repository's name")
        }
    };
    // The names come page by page and are told so: a registry may have millions.
    let mut is_first = true;
    while let Some(page) = names.next().await.map_err(|error| explained(error, what))? {
        let mut out = stdout().lock();
        for name in page {
            if command.json {
                let before = if is_first { "[" } else { "," };
                write!(out, "{before}{}", serde_json::Value::from(name))?;
            } else if !name.chars().any(char::is_control) {
                writeln!(out, "{name}")?;
            }
            is_first = false;
        }
    }
    if command.json {
        writeln!(stdout(), "{}", if is_first { "[]" } else { "]" })?;
    }
    Ok(())
}

/// Not to be there may be the registry's way to say no.
fn explained(error: Error, what: &'static str) -> anyhow::Error {
    match error {
        Error::NotFound { .. } => anyhow::anyhow!("{error}; {what}"),
        error => error.into(),
    }
}
