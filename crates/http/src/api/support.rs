//! The root of the API (end-1), and the list of extensions.

use http::Response;
use serde_json::json;
use wharf_core::operation::{CheckSupport, DiscoverExtensions};

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::reply::{self, JSON};
use crate::body::Body;

/// `GET /v2/`: this is a registry.
pub(super) async fn check(call: Call) -> Result<Response<Body>, Failure> {
    call.permit(CheckSupport {}).await?;
    Ok(reply::json(JSON, "{}".into(), call.is_head()))
}

/// `GET /v2/_oci/ext/discover` (distribution-spec, extensions/_oci.md).
pub(super) async fn discover(call: Call) -> Result<Response<Body>, Failure> {
    call.extension_scope()?;
    call.permit(DiscoverExtensions {}).await?;
    let mut extensions = vec![
        json!({
            "name": "_oci",
            "description": "Lists the extensions of this registry.",
            "url": "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md",
            "endpoints": ["_oci/ext/discover"],
        }),
        json!({
            "name": "_catalog",
            "description": "Lists the repositories of this registry.",
            "url": "https://github.com/opencontainers/distribution-spec/blob/main/extensions/README.md",
            "endpoints": ["_catalog"],
        }),
    ];
    if call.registry().offers_direct_uploads() {
        extensions.push(json!({
            "name": "_wharf",
            "description": "Takes a blob in parts, side by side and in any order, where it can straight into the store.",
            "url": "docs/direct-upload.md",
            "endpoints": ["_wharf/direct/uploads"],
        }));
    }
    let document = json!({ "extensions": extensions });
    Ok(reply::json(JSON, document.to_string(), call.is_head()))
}
