//! Lists of the API, page by page: a registry may have millions of things.

use std::marker::PhantomData;

use http::Method;
use serde::de::DeserializeOwned;

use super::query::with_parameters;
use super::request::Page;
use super::{Answer, Management};
use crate::Error;

/// How many things are asked for at once.
const PAGE: usize = 500;

/// The things of a list.
pub struct Pages<T> {
    management: Management,
    path: String,
    after: Option<String>,
    is_done: bool,
    /// How many things a page has; `None` where the list comes whole.
    page: Option<usize>,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    /// The list at a path, which may have parameters.
    pub(super) fn new(management: &Management, path: String) -> Self {
        let management = management.clone();
        Self { management, path, after: None, is_done: false, page: Some(PAGE), kind: PhantomData }
    }

    /// The list at a path, of which there is one page.
    pub(super) fn whole(management: &Management, path: String) -> Self {
        Self { page: None, ..Self::new(management, path) }
    }

    /// Pages of at most so many things, for who wants no more than those.
    #[must_use]
    pub fn of(mut self, things: usize) -> Self {
        self.page = self.page.map(|_| things.clamp(1, PAGE));
        self
    }

    /// The next page, which may be empty; `None` behind the last one.
    ///
    /// # Errors
    /// When the registry refuses, or sends what is no such list.
    pub async fn next(&mut self) -> Result<Option<Vec<Answer<T>>>, Error> {
        if self.is_done {
            return Ok(None);
        }
        let parameters =
            [("limit", self.page.map(|page| page.to_string())), ("after", self.after.clone())];
        let path = with_parameters(self.path.clone(), &parameters);
        let call = self.management.request(Method::GET, &path)?;
        let reply = self.management.send(call).await?;
        let page: Page = self.management.json(reply).await?;
        if page.next.is_some() && page.next == self.after {
            return Err(self.management.unreadable("the same page for ever"));
        }
        self.is_done = page.next.is_none();
        self.after = page.next;
        let read = |json| Answer::read(json).map_err(|place| self.management.unreadable(&place));
        page.items.into_iter().map(read).collect::<Result<_, _>>().map(Some)
    }
}
