//! Lists of names, page by page (distribution-spec, "Listing Tags"; `_catalog` of Docker's registry).

use http::{Method, StatusCode, Uri, header};
use serde::Deserialize;

use super::{Registry, Repository};
use crate::connection::{Call, Client, Origin, Reply, encode, resolve};
use crate::{Error, Scope};

/// How many names are asked for at once.
const PAGE: usize = 1000;

/// The largest page in bytes: far more than 1,000 names, for registries that send all at once.
const MAX_PAGE: usize = 32 << 20;

/// Names of tags or repositories, page by page.
pub struct Names {
    client: Client,
    registry: Origin,
    scope: Scope,
    /// What the list is called in messages.
    what: String,
    place: String,
    first: Uri,
    next: Option<Uri>,
    last: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(alias = "repositories")]
    tags: Option<Vec<String>>,
}

impl Registry {
    /// The names of the repositories, as far as the registry tells.
    ///
    /// # Errors
    /// Does not fail in practice; pages do.
    pub fn repositories(&self) -> Result<Names, Error> {
        let place = self.host().to_string();
        Names::new(self, "/v2/_catalog", Scope::catalog(), "the list of repositories", place)
    }
}

impl Repository {
    /// The names of the tags.
    ///
    /// # Errors
    /// Does not fail in practice; pages do.
    pub fn tags(&self) -> Result<Names, Error> {
        let path = format!("/v2/{}/tags/list", self.name());
        let scope = Scope::pull(self.name());
        Names::new(self.registry(), &path, scope, "the list of tags", self.place())
    }
}

impl Names {
    fn new(
        registry: &Registry,
        path: &str,
        scope: Scope,
        what: &str,
        place: String,
    ) -> Result<Self, Error> {
        let first = registry.origin.uri(&format!("{path}?n={PAGE}"))?;
        Ok(Self {
            client: registry.client.clone(),
            registry: registry.origin.clone(),
            scope,
            what: what.to_owned(),
            place,
            next: Some(first.clone()),
            first,
            last: None,
        })
    }

    /// The next page, which may be empty; `None` behind the last one.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the repository is not there, or the registry does not list its repositories.
    pub async fn next(&mut self) -> Result<Option<Vec<String>>, Error> {
        let Some(uri) = self.next.take() else { return Ok(None) };
        let scopes = vec![self.scope.clone()];
        let call = Call::new(Method::GET, uri, self.registry.clone(), scopes);
        let reply = self.client.call(call).await?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err(Error::NotFound { what: self.what.clone(), place: self.place.clone() });
            }
            _ => return Err(reply.refusal().await),
        }
        let link = next_page(&reply)?;
        let host = reply.host();
        let bytes = reply.bytes(&self.what, MAX_PAGE).await?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|error| {
            Error::protocol(host, format!("{}, not readable: {error}", self.what))
        })?;
        let names = page.tags.unwrap_or_default();
        // A registry that ignores `last` would send the same page for ever.
        if self.last.as_ref().is_some_and(|last| names.contains(last)) {
            return Ok(None);
        }
        self.next = match (link, names.last()) {
            (Some(_), None) => None,
            (Some(link), Some(_)) => Some(link),
            (None, Some(last)) if names.len() == PAGE => {
                let path = format!("{}?n={PAGE}&last={}", self.first.path(), encode(last));
                Some(self.registry.uri(&path)?)
            }
            (None, _) => None,
        };
        self.last = names.last().cloned();
        Ok(Some(names))
    }

    /// All names, of at most `limit`.
    ///
    /// # Errors
    /// As [`Names::next`]; and [`Error::TooLarge`] where there are more.
    pub async fn collect(mut self, limit: usize) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
            if all.len() > limit {
                let what = format!("{} of {} (in names)", self.what, self.place);
                return Err(Error::TooLarge { what, limit: limit as u64 });
            }
        }
        Ok(all)
    }
}

/// The address of the next page in `Link: <…>; rel="next"` (RFC 8288). It must be of the same origin.
pub(super) fn next_page(reply: &Reply) -> Result<Option<Uri>, Error> {
    for value in reply.headers.get_all(header::LINK) {
        let Some(target) = value.to_str().ok().and_then(next_link) else { continue };
        let uri = resolve(&reply.uri, target)?;
        if Origin::of(&uri) != Origin::of(&reply.uri) {
            return Err(reply.unexpected("with a next page at another host"));
        }
        return Ok(Some(uri));
    }
    Ok(None)
}

fn next_link(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        let (target, behind) = behind.split_once('>')?;
        let parameters = behind.split('<').next().unwrap_or_default();
        let is_next = parameters.split([';', ',']).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let value = value.trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value.split(' ').any(|kind| kind.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target);
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        assert_eq!(
            next_link(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#),
            Some("/v2/a/tags/list?n=2&last=b")
        );
        assert_eq!(next_link(r#"</a>; rel=prev, </b>; title="x"; rel=Next"#), Some("/b"));
        assert_eq!(next_link(r#"</a>; rel="prev""#), None);
        assert_eq!(next_link("</a"), None);
        assert_eq!(next_link(""), None);
    }
}
