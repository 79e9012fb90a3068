//! Lists of tags and of repositories, a page at a time.

use wharf_oci::{RepositoryName, Tag};

use crate::operation::{ListRepositories, ListTags};
use crate::permissions::Permitted;
use crate::registry::Registry;
use crate::{Error, Missing};

/// A page of a list, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl Registry {
    /// Lists tags in byte order, after `after`, `limit` of them or as many as a page holds.
    ///
    /// # Errors
    /// [`Missing::Repository`].
    pub async fn list_tags(
        &self,
        operation: &Permitted<ListTags>,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Listing<Tag>, Error> {
        let limit = self.page(limit);
        let repository = &operation.repository;
        let said =
            self.parts.metadata.list_tags(repository.clone(), after.clone(), limit + 1).await;
        let ask = self.or_last_known(said, async |copy| {
            Some(Some(copy.last_tags(repository.clone(), after, limit + 1).await?))
        });
        let tags = ask.await?.ok_or_else(|| Missing::Repository(repository.clone()))?;
        Ok(cut(tags, limit))
    }

    /// Lists repositories in byte order, after `after`, `limit` of them or as many as a page holds.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn list_repositories(
        &self,
        _operation: &Permitted<ListRepositories>,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Listing<RepositoryName>, Error> {
        let limit = self.page(limit);
        let said = self.parts.metadata.list_repositories(after.clone(), limit + 1).await;
        let ask = self.or_last_known(said, |copy| copy.last_repositories(after, limit + 1));
        Ok(cut(ask.await?, limit))
    }

    /// How many items a reply holds when `asked` for so many.
    pub(super) fn page(&self, asked: Option<usize>) -> usize {
        asked.map_or(self.rules.page_size, |asked| asked.min(self.rules.page_size))
    }
}

/// A page of `limit` items out of up to one more. An empty page has nothing behind it, so that nobody asks for ever.
fn cut<T>(mut items: Vec<T>, limit: usize) -> Listing<T> {
    let more = limit > 0 && items.len() > limit;
    items.truncate(limit);
    Listing { items, more }
}
