//! Lists of names, a page at a time: tags (end-8) and repositories (`_catalog`).

use http::Response;
use serde_json::json;
use wharf_core::operation::{ListRepositories, ListTags};

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::reply::{self, JSON};
use crate::body::Body;

/// `GET /v2/<name>/tags/list`
pub(super) async fn list(call: Call) -> Result<Response<Body>, Failure> {
    let repository = call.repository()?;
    let (limit, after) = call.page()?;
    let operation = call.permit(ListTags { repository: repository.clone() }).await?;
    let page = call.registry().list_tags(&operation, after, limit).await?;
    let tags: Vec<&str> = page.items.iter().map(|tag| tag.as_str()).collect();
    let document = json!({ "name": repository.as_str(), "tags": tags });
    let mut response = reply::json(JSON, document.to_string(), call.is_head());
    if let Some(last) = tags.last().filter(|_| page.more) {
        next(&mut response, &call, &format!("/v2/{repository}/tags/list"), tags.len(), last);
    }
    Ok(response)
}

/// `GET /v2/_catalog`
pub(super) async fn list_repositories(call: Call) -> Result<Response<Body>, Failure> {
    let (limit, after) = call.page()?;
    let operation = call.permit(ListRepositories {}).await?;
    let page = call.registry().list_repositories(&operation, after, limit).await?;
    let names: Vec<&str> = page.items.iter().map(|name| name.as_str()).collect();
    let mut response =
        reply::json(JSON, json!({ "repositories": names }).to_string(), call.is_head());
    if let Some(last) = names.last().filter(|_| page.more) {
        next(&mut response, &call, "/v2/_catalog", names.len(), last);
    }
    Ok(response)
}

fn next(response: &mut Response<Body>, call: &Call, path: &str, limit: usize, last: &str) {
    let parameters = [("n", limit.to_string()), ("last", last.to_owned())];
    let parameters: Vec<(&str, &str)> =
        parameters.iter().map(|(name, text)| (*name, text.as_str())).collect();
    reply::set_next(response.headers_mut(), call, path, &parameters);
}
