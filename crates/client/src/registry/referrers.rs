//! The manifests about a manifest (distribution-spec, "Listing Referrers"), by the API or the tag that stands in for it.

use http::{Method, StatusCode};
use serde::Deserialize;
use wharf_oci::{Descriptor, Digest, Reference};

use super::listing::next_page;
use super::{Repository, fallback};
use crate::connection::{Call, Reply, encode};
use crate::{Error, MAX_MANIFEST, Scope};

/// The most referrers of one manifest that are listed.
const MAX_REFERRERS: usize = 10_000;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Repository {
    /// The manifests whose subject is `subject`, those of `artifact_type` where it is given. A registry
    /// without the API is asked for the tag that clients keep instead.
    ///
    /// # Errors
    /// When the registry cannot say, or there are more than 10,000.
    pub async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let filter = artifact_type.map(|kind| format!("?artifactType={}", encode(kind)));
        let path = format!("referrers/{subject}{}", filter.unwrap_or_default());
        let mut call = self.reading(Method::GET, &path)?;
        let mut all = Vec::new();
        loop {
            let reply = self.client().call(call).await?;
            match reply.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if all.is_empty() => {
                    all = self.fallback_referrers(subject).await?;
                    break;
                }
                _ => return Err(reply.refusal().await),
            }
            let next = next_page(&reply)?;
            let page = page(reply).await?;
            let is_empty = page.is_empty();
            all.extend(page);
            if all.len() > MAX_REFERRERS {
                let what = format!("the list of referrers of {subject} (in manifests)");
                return Err(Error::TooLarge { what, limit: MAX_REFERRERS as u64 });
            }
            match next {
                Some(uri) if !is_empty => {
                    let origin = self.registry().origin.clone();
                    call = Call::new(Method::GET, uri, origin, vec![Scope::pull(self.name())]);
                }
                _ => break,
            }
        }
        // A registry need not filter.
        all.retain(|one| {
            artifact_type.is_none_or(|kind| one.artifact_type.as_deref() == Some(kind))
        });
        Ok(all)
    }

    async fn fallback_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let tag = Reference::Tag(fallback::tag_for(subject)?);
        let manifest = match self.manifest(&tag).await {
            Ok(manifest) => manifest,
            // What is no index is no list of referrers, so there are none.
            Err(Error::NotFound { .. } | Error::Manifest { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        Ok(manifest.parse().map(|index| index.children().to_vec()).unwrap_or_default())
    }
}

async fn page(reply: Reply) -> Result<Vec<Descriptor>, Error> {
    let host = reply.host();
    let bytes = reply.bytes("a list of referrers", MAX_MANIFEST).await?;
    let page: Page = serde_json::from_slice(&bytes)
        .map_err(|error| Error::protocol(host, format!("no list of referrers: {error}")))?;
    Ok(page.manifests)
}
