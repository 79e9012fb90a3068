//! Lists, a page at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::metadata::Page;

use super::answer::Plain;
use super::values::{Text, Words};

/// How many are in a page where nobody says how many.
const USUAL: usize = 100;

/// The most in a page.
const MOST: usize = 1000;

/// Which page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct PageQuery {
    /// How many at most: 100 where nothing is said, and never more than 1000.
    pub(super) limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    pub(super) after: Option<Text<Words>>,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::api) struct Items<T> {
    /// What is listed.
    pub(super) items: Vec<T>,
    /// What the next page goes on behind; nothing on the last one.
    pub(super) next: Option<String>,
}

pub(super) type PageOf<T> = Plain<Items<T>>;

/// How many are asked for.
pub(super) fn limit(asked: Option<&Text<u32>>) -> usize {
    asked.map_or(USUAL, |Text(limit)| usize::try_from(*limit).unwrap_or(MOST).min(MOST))
}

/// The page that is to be read: one more than is shown, which tells whether there is another page.
pub(super) fn page(limit: usize, after: Option<&Text<Words>>) -> Page {
    Page { after: after.map(|Text(Words(text))| text.clone()), limit: limit + 1 }
}

/// The page that is shown of what was read.
pub(super) fn shown<T, S>(
    mut read: Vec<T>,
    limit: usize,
    place: impl Fn(&T) -> String,
    show: impl Fn(T) -> S,
) -> PageOf<S> {
    let more = read.len() > limit;
    read.truncate(limit);
    let next = read.last().filter(|_| more).map(place);
    Plain(Items { items: read.into_iter().map(show).collect(), next })
}
