//! What the fake registry answers to questions.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use wharf_oci::{Algorithm, Hasher};

use super::server::{State, empty};

pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A reply, or a connection that breaks without one.
pub type Served = Result<Response<Body>, io::Error>;

pub fn digest(bytes: &[u8]) -> String {
    Hasher::digest(Algorithm::Sha256, bytes).to_string()
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that breaks its connection after `bytes`.
fn cut(bytes: Bytes) -> Body {
    let frames = vec![Ok(Frame::data(bytes)), Err(io::Error::other("cut by the test"))];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

pub fn text(status: StatusCode, text: &str) -> Served {
    let mut response = Response::new(full(text.to_owned()));
    *response.status_mut() = status;
    Ok(response)
}

pub fn error(status: StatusCode, code: &str) -> Served {
    text(status, &json!({ "errors": [{ "code": code, "message": "said the test" }] }).to_string())
}

pub fn busy(status: StatusCode, wait: Option<&'static str>) -> Served {
    let mut response = empty(status);
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
    }
    Ok(response)
}

pub fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    response.headers_mut().insert(name, value.parse().unwrap());
}

pub fn blob(state: &mut State, head: &Parts, repository: &str, digest: &str) -> Served {
    if let Some(host) = &state.fault.redirect_blobs {
        let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
        let target = format!("http://{host}{}?signature=s3cret", head.uri.path());
        set(&mut response, "location", &target);
        return Ok(response);
    }
    let key = (repository.to_owned(), digest.to_owned());
    let Some(stored) = state.blobs.get(&key) else {
        return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN");
    };
    let stored = state.fault.lie.clone().unwrap_or_else(|| stored.clone());
    let range = head.headers.get(header::RANGE).filter(|_| !state.fault.ignores_ranges);
    let start = range.map(|value| {
        let text = value.to_str().unwrap().strip_prefix("bytes=").unwrap();
        text.trim_end_matches('-').parse::<usize>().unwrap()
    });
    let bytes = stored.slice(start.unwrap_or(0)..);
    let length = bytes.len();
    let mut response = if head.method == Method::HEAD {
        empty(StatusCode::OK)
    } else {
        let at = state.fault.cut_downloads.pop_front().filter(|at| *at < length);
        let body = match at {
            Some(at) => cut(bytes.slice(..at)),
            None => full(bytes),
        };
        Response::new(body)
    };
    if let Some(start) = start {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {start}-{}/{}", stored.len() - 1, stored.len());
        set(&mut response, "content-range", &range);
    }
    set(&mut response, "content-length", &length.to_string());
    Ok(response)
}

pub fn manifest(state: &State, head: &Parts, repository: &str, name: &str) -> Served {
    let key = (repository.to_owned(), name.to_owned());
    let Some((media_type, stored)) = state.manifests.get(&key) else {
        return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN");
    };
    let bytes = state.fault.lie.clone().unwrap_or_else(|| stored.clone());
    let (length, is_head) = (bytes.len().to_string(), head.method == Method::HEAD);
    let mut response = Response::new(full(if is_head { Bytes::new() } else { bytes }));
    set(&mut response, "content-type", media_type);
    set(&mut response, "content-length", &length);
    set(&mut response, "docker-content-digest", &digest(stored));
    Ok(response)
}

pub fn referrers(state: &State, repository: &str, subject: &str) -> Served {
    if !state.fault.lists_referrers {
        return text(StatusCode::NOT_FOUND, "404 page not found");
    }
    let mut list = Vec::new();
    for ((_, name), (media_type, bytes)) in &state.manifests {
        let value: Value = serde_json::from_slice(bytes).unwrap();
        let is_about = value["subject"]["digest"] == subject && name.starts_with("sha256:");
        if is_about && state.manifests.contains_key(&(repository.to_owned(), name.clone())) {
            list.push(json!({
                "mediaType": media_type,
                "digest": name,
                "size": bytes.len(),
                "artifactType": value["artifactType"],
            }));
        }
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": list,
    });
    text(StatusCode::OK, &index.to_string())
}

/// The tags of a repository, or the repositories.
pub fn names(state: &State, repository: Option<&str>, query: &str) -> Served {
    let mut names: Vec<&String> = match repository {
        Some(repository) => {
            let here = state.manifests.keys().filter(|(of, _)| of == repository);
            here.map(|(_, name)| name).filter(|name| !name.contains(':')).collect()
        }
        None => state.manifests.keys().map(|(of, _)| of).collect(),
    };
    names.sort();
    names.dedup();
    if let Some(last) = parameter(query, "last") {
        names.retain(|name| name.as_str() > last);
    }
    let mut link = None;
    if let Some((size, linked)) = state.fault.page
        && names.len() > size
    {
        names.truncate(size);
        link = linked.then(|| names.last().unwrap().to_string());
    }
    let key = if repository.is_some() { "tags" } else { "repositories" };
    let mut response = text(StatusCode::OK, &json!({ key: names }).to_string())?;
    if let Some(last) = link {
        set(&mut response, "link", &format!("<?n=2&last={last}>; rel=\"next\""));
    }
    Ok(response)
}

/// A parameter of a query.
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
