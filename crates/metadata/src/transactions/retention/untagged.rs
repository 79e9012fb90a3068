//! Which manifests of a repository go by a rule for those without a tag: by the decisions of a collection themselves.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::UntaggedPage;
use wharf_oci::{Digest, RepositoryName};

use crate::engine::{Plans, Result, Statements, Transaction, arguments};
use crate::transactions::garbage::manifests::{is_named, is_root, is_subject_of_root};
use crate::transactions::garbage::unneeded::is_kept;
use crate::transactions::{pins, repositories};

/// `Retention::untagged_manifests`
pub(crate) struct Untagged {
    pub(crate) repository: RepositoryName,
    pub(crate) for_long: Duration,
    pub(crate) after: Option<Digest>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Untagged {
    type Output = UntaggedPage;

    const PLANS: Plans = Plans::ByIndex;

    /// Whether the repository may be written to is not asked: a policy is looked at for the time when it may.
    async fn run(&self, on: &mut dyn Statements) -> Result<UntaggedPage> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(UntaggedPage::default());
        };
        let now = on.now().await?;
        pins::forget_expired(on, repository, now).await?;
        let behind = self.after.map(|digest| digest.to_binary()).unwrap_or_default();
        let rows = on
            .query(
                "SELECT digest FROM repository_manifests
                 WHERE repository_id = $1 AND digest > $2 ORDER BY digest LIMIT $3",
                arguments![repository, behind.as_slice(), self.limit],
            )
            .await?;
        let Some(last) = rows.last().map(|row| row.digest(0)).transpose()? else {
            return Ok(UntaggedPage::default());
        };
        let next = (rows.len() == self.limit).then_some(last);
        let before = now.before(self.for_long);
        let sql = concat!(
            "SELECT h.digest FROM repository_manifests h
             WHERE h.repository_id = $1 AND h.digest > $2 AND h.digest <= $3 AND NOT ",
            is_root!("h", "$4"),
            " ORDER BY h.digest"
        );
        let rows = on.query(sql, arguments![repository, behind.as_slice(), last, before]).await?;
        let mut going = Vec::new();
        for row in &rows {
            let digest = row.digest(0)?;
            if !is_kept(on, before, repository, &digest).await? {
                going.push(digest);
            }
        }
        Ok(UntaggedPage { going, next })
    }
}
