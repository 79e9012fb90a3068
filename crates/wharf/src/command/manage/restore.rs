//! `wharf restore`: back with what was deleted.

use anyhow::bail;
use clap::Args;
use wharf_client::management::{RepositoryRestoration, Restored};
use wharf_oci::RepositoryName;

use super::at::At;
use super::named::Named;

/// The arguments of `wharf restore`.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    at: At,
    /// A tag, to where it stood; a manifest, with what it needs and the tags that went with it; or, with --repository, a repository as it was
    #[arg(value_name = "REPO:TAG|REPO@DIGEST|REPO")]
    what: Named,
    /// The whole repository
    #[arg(long)]
    repository: bool,
    /// Under this name instead of the one that it had
    #[arg(long = "as", value_name = "REPO", requires = "repository")]
    to: Option<RepositoryName>,
    /// Which of several of that name, as `wharf repo deleted --namespace` numbers them; else the one that was deleted last
    #[arg(long, requires = "repository")]
    number: Option<i64>,
}

/// Does it.
pub fn execute(command: &Restore) -> anyhow::Result<()> {
    let Restore { at, what, .. } = command;
    if command.repository {
        return whole(command);
    }
    let reference = what.reference()?;
    at.run(async |session| {
        let repository = &what.repository;
        let answer = session.api.restore(repository, &reference).await?;
        let Restored { digest, tags, manifests } = &answer.value;
        let with = match (*manifests, tags.as_slice()) {
            (0 | 1, []) => String::new(),
            (0 | 1, tags) => format!(" as {}", tags.join(", ")),
            (count, []) => format!(" with {} that it needs", count - 1),
            (count, tags) => format!(" as {}, with {} that it needs", tags.join(", "), count - 1),
        };
        session.out.done(&answer, &format!("{repository}@{digest} is back{with}"))
    })
}

/// Brings a whole repository back.
fn whole(command: &Restore) -> anyhow::Result<()> {
    let Restore { at, what, to, number, .. } = command;
    if what.tag.is_some() || what.digest.is_some() {
        bail!("{what} names a tag or a manifest; with --repository, write REPO");
    }
    at.run(async |session| {
        let to = to.as_ref().map(RepositoryName::as_str);
        let how = RepositoryRestoration { to, number: *number };
        let answer = session.api.restore_repository(&what.repository, how).await?;
        let text = match to {
            Some(to) => format!("{} is back as {to}", what.repository),
            None => format!("{} is back", what.repository),
        };
        session.out.done(&answer, &text)
    })
}
