//! Referrers: the manifests about a manifest, as an index (end-12).

use std::collections::BTreeMap;

use http::{HeaderValue, Response};
use serde::Serialize;
use wharf_core::metadata::Referrer;
use wharf_core::operation::ListReferrers;
use wharf_oci::{Digest, ErrorCode, MediaType};

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::reply::{self, OCI_FILTERS_APPLIED};
use crate::body::Body;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// `GET /v2/<name>/referrers/<digest>`
pub(super) async fn list(call: Call) -> Result<Response<Body>, Failure> {
    let repository = call.repository()?;
    let subject = call.digest()?;
    let (limit, _) = call.page()?;
    let after = call.parameter::<Digest>("last", ErrorCode::DigestInvalid)?;
    let artifact_type = call.parameters("artifactType").next().map(std::borrow::Cow::into_owned);
    let artifact_type = artifact_type.filter(|text| !text.is_empty());
    let operation = call.permit(ListReferrers { repository: repository.clone(), subject }).await?;
    let page =
        call.registry().list_referrers(&operation, artifact_type.clone(), after, limit).await?;

    let last = page.items.last().map(|referrer| referrer.digest.to_string());
    let index = Index {
        schema_version: 2,
        media_type: MediaType::ImageIndex.as_str(),
        manifests: page.items.into_iter().map(descriptor).collect(),
    };
    let document =
        serde_json::to_string(&index).map_err(|error| Failure::internal(error.to_string()))?;
    let content_type = HeaderValue::from_static(MediaType::ImageIndex.as_str());
    let mut response = reply::json(content_type, document, call.is_head());
    if artifact_type.is_some() {
        response
            .headers_mut()
            .insert(OCI_FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    if let Some(last) = last.filter(|_| page.more) {
        let limit = limit.map(|limit| limit.to_string());
        let parameters = [("n", &limit), ("artifactType", &artifact_type), ("last", &Some(last))];
        let parameters: Vec<(&str, &str)> =
            parameters.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect();
        let path = format!("/v2/{repository}/referrers/{subject}");
        reply::set_next(response.headers_mut(), &call, &path, &parameters);
    }
    Ok(response)
}

fn descriptor(referrer: Referrer) -> Descriptor {
    Descriptor {
        media_type: referrer.media_type.as_str(),
        digest: referrer.digest,
        size: referrer.size,
        artifact_type: referrer.artifact_type,
        // Written by us from a manifest's annotations, so they can be read.
        annotations: serde_json::from_str(&referrer.annotations).unwrap_or_default(),
    }
}
