//! How the fake registry takes blobs and manifests in.

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use wharf_oci::{Digest, Hasher};

use super::reply::{self, Body, Served, parameter, set};
use super::server::{FakeRegistry, empty};

/// An upload that goes on.
#[derive(Default)]
pub struct Upload {
    pub bytes: BytesMut,
}

impl FakeRegistry {
    pub async fn upload(
        &self,
        head: &Parts,
        body: Incoming,
        repository: &str,
        session: &str,
        query: &str,
    ) -> Served {
        match head.method {
            Method::POST => Ok(self.begin(repository, query)),
            Method::PATCH => self.patch(head, body, repository, session).await,
            Method::PUT => self.commit(body, repository, session, query).await,
            Method::GET if !self.state().fault.forgets_uploads => {
                match self.state().uploads.get(session) {
                    Some(upload) => {
                        Ok(progress(repository, session, upload, StatusCode::NO_CONTENT))
                    }
                    None => reply::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
                }
            }
            Method::DELETE => {
                self.state().uploads.remove(session);
                Ok(empty(StatusCode::NO_CONTENT))
            }
            _ => reply::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        }
    }

    fn begin(&self, repository: &str, query: &str) -> Response<Body> {
        let mut state = self.state();
        if let (Some(digest), Some(from)) = (parameter(query, "mount"), parameter(query, "from"))
            && state.fault.mounts
            && let Some(bytes) = state.blobs.get(&(from.to_owned(), digest.to_owned())).cloned()
        {
            state.blobs.insert((repository.to_owned(), digest.to_owned()), bytes);
            return empty(StatusCode::CREATED);
        }
        state.begun += 1;
        let session = format!("u{}", state.begun);
        let upload = Upload::default();
        let mut response = progress(repository, &session, &upload, StatusCode::ACCEPTED);
        if let Some(size) = state.fault.smallest_chunk {
            set(&mut response, "oci-chunk-min-length", &size.to_string());
        }
        state.uploads.insert(session, upload);
        response
    }

    async fn patch(
        &self,
        head: &Parts,
        mut body: Incoming,
        repository: &str,
        session: &str,
    ) -> Served {
        let range = head.headers["content-range"].to_str().unwrap();
        let first: usize = range.split_once('-').unwrap().0.parse().unwrap();
        let mut left = self.state().fault.cut_uploads.pop_front();
        match self.state().uploads.get(session) {
            None => return reply::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Some(upload) if upload.bytes.len() != first => {
                return reply::error(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID");
            }
            Some(_) => {}
        }
        while let Some(frame) = body.frame().await {
            let Ok(Ok(mut bytes)) = frame.map(hyper::body::Frame::into_data) else {
                return Err(std::io::Error::other("the client broke the connection"));
            };
            if let Some(left) = &mut left {
                bytes.truncate(*left);
                *left -= bytes.len();
            }
            self.state().uploads.get_mut(session).unwrap().bytes.extend_from_slice(&bytes);
            if left == Some(0) {
                return Err(std::io::Error::other("cut by the test"));
            }
        }
        let state = self.state();
        Ok(progress(repository, session, &state.uploads[session], StatusCode::ACCEPTED))
    }

    async fn commit(&self, body: Incoming, repository: &str, session: &str, query: &str) -> Served {
        let Ok(rest) = body.collect().await else {
            return Err(std::io::Error::other("the client broke the connection"));
        };
        let rest = rest.to_bytes();
        let mut state = self.state();
        let Some(mut upload) = state.uploads.remove(session) else {
            return reply::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
        };
        upload.bytes.extend_from_slice(&rest);
        let expected: Digest = parameter(query, "digest").unwrap().parse().unwrap();
        let bytes: Bytes = upload.bytes.freeze();
        if Hasher::digest(expected.algorithm(), &bytes) != expected {
            return reply::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
        }
        state.blobs.insert((repository.to_owned(), expected.to_string()), bytes);
        if state.fault.lost_commits > 0 {
            state.fault.lost_commits -= 1;
            return Err(std::io::Error::other("lost by the test"));
        }
        Ok(empty(StatusCode::CREATED))
    }

    pub async fn put_manifest(
        &self,
        head: &Parts,
        body: Incoming,
        repository: &str,
        name: &str,
        query: &str,
    ) -> Served {
        let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let media_type = head.headers["content-type"].to_str().unwrap().to_owned();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let mut state = self.state();
        for blob in value["layers"].as_array().into_iter().flatten().chain([&value["config"]]) {
            let Some(digest) = blob["digest"].as_str() else { continue };
            if !state.blobs.contains_key(&(repository.to_owned(), digest.to_owned())) {
                return reply::error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN");
            }
        }
        let tags: Vec<String> =
            query.split('&').filter_map(|p| p.strip_prefix("tag=")).map(str::to_owned).collect();
        let mut names = vec![reply::digest(&bytes), name.to_owned()];
        let mut response = empty(StatusCode::CREATED);
        if state.fault.takes_many_tags && !tags.is_empty() {
            set(&mut response, "oci-tag", &tags.join(", "));
            names.extend(tags);
        }
        if state.fault.lists_referrers
            && let Some(subject) = value["subject"]["digest"].as_str()
        {
            set(&mut response, "oci-subject", subject);
        }
        for name in names {
            let stored = (media_type.clone(), bytes.clone());
            state.manifests.insert((repository.to_owned(), name), stored);
        }
        Ok(response)
    }
}

fn progress(
    repository: &str,
    session: &str,
    upload: &Upload,
    status: StatusCode,
) -> Response<Body> {
    let mut response = empty(status);
    set(&mut response, "location", &format!("/v2/{repository}/blobs/uploads/{session}"));
    set(&mut response, "range", &format!("0-{}", upload.bytes.len().saturating_sub(1)));
    response
}
