//! `wharf restore`: back with what was deleted.

use clap::Args;
use wharf_client::management::Restored;

use super::at::At;
use super::named::Named;

/// The arguments of `wharf restore`.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    at: At,
    /// A tag, to where it stood; or a manifest, with what it needs and the tags that went with it
    #[arg(value_name = "REPO:TAG|REPO@DIGEST")]
    what: Named,
}

/// Does it.
pub fn execute(command: &Restore) -> anyhow::Result<()> {
    let Restore { at, what } = command;
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
