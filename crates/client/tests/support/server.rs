//! The fake registry: its state, its log, and the routes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::auth::Auth;
use super::direct::{Direct, EXTENSIONS, SentParts};
use super::reply::{self, Body, Served};
use super::uploads::Upload;

/// What the registry does wrong, once or always.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// For the next downloads: break the connection after so many bytes of the reply.
    pub cut_downloads: VecDeque<usize>,
    /// For the next uploads by `PATCH`: break the connection after so many bytes of the request.
    pub cut_uploads: VecDeque<usize>,
    /// For the next requests to close an upload: do it, and break the connection before the reply.
    pub lost_commits: usize,
    /// The next requests of any kind are answered so, with this `Retry-After`.
    pub busy: VecDeque<(StatusCode, Option<&'static str>)>,
    /// Whether `Range` is ignored.
    pub ignores_ranges: bool,
    /// Whether an upload cannot be asked how far it is.
    pub forgets_uploads: bool,
    /// `OCI-Chunk-Min-Length`.
    pub smallest_chunk: Option<u64>,
    /// Whether a push takes several tags.
    pub takes_many_tags: bool,
    /// Whether there is a list of referrers.
    pub lists_referrers: bool,
    /// Whether blobs can be mounted.
    pub mounts: bool,
    /// How many names a page has, and whether pages are linked.
    pub page: Option<(usize, bool)>,
    /// Where blobs are served from instead.
    pub redirect_blobs: Option<String>,
    /// Blobs and manifests are served as these bytes, whatever was asked for.
    pub lie: Option<Bytes>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
}

#[derive(Default)]
pub struct State {
    pub fault: Fault,
    pub auth: Auth,
    pub log: Vec<Seen>,
    /// By repository and digest.
    pub blobs: BTreeMap<(String, String), Bytes>,
    /// By repository and tag or digest: the media type and the bytes.
    pub manifests: BTreeMap<(String, String), (String, Bytes)>,
    pub uploads: BTreeMap<String, Upload>,
    /// Direct uploads, where it offers them; how large the one under way is, and what has come of it.
    pub direct: Option<Direct>,
    pub direct_size: usize,
    pub sent_parts: SentParts,
    /// How many uploads were begun.
    pub begun: usize,
}

/// A registry in this process.
#[derive(Clone)]
pub struct FakeRegistry {
    host: String,
    state: Arc<Mutex<State>>,
}

impl FakeRegistry {
    /// Starts one that does nothing wrong.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let registry = Self { host, state };
        registry.fault(|fault| {
            fault.takes_many_tags = true;
            fault.lists_referrers = true;
            fault.mounts = true;
        });
        let served = registry.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let registry = served.clone();
                let service = service_fn(move |request| {
                    let registry = registry.clone();
                    async move { registry.serve(request).await }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move {
                    // A connection that a test broke on purpose is no error here.
                    let _ = connection.await;
                });
            }
        });
        registry
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes what it does wrong.
    pub fn fault(&self, change: impl FnOnce(&mut Fault)) {
        change(&mut self.state().fault);
    }

    /// The requests that came, as `METHOD path`.
    pub fn requests(&self) -> Vec<String> {
        self.state().log.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    /// How many requests came whose `METHOD path` contains `text`.
    pub fn count(&self, text: &str) -> usize {
        self.requests().iter().filter(|line| line.contains(text)).count()
    }

    /// The blobs of a repository, by digest.
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.state().blobs.get(&(repository.to_owned(), digest.to_owned())).cloned()
    }

    /// The digest of the manifest with this name.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<String> {
        let key = (repository.to_owned(), tag.to_owned());
        self.state().manifests.get(&key).map(|(_, bytes)| reply::digest(bytes))
    }

    async fn serve(self, request: Request<Incoming>) -> Served {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().unwrap().as_str().to_owned();
        {
            let mut state = self.state();
            let (method, headers) = (head.method.clone(), head.headers.clone());
            state.log.push(Seen { method, path, headers });
            if let Some((status, wait)) = state.fault.busy.pop_front() {
                return reply::busy(status, wait);
            }
            if let Some(reply) = state.auth.check(&self.host, &head) {
                return reply;
            }
        }
        let path = head.uri.path().to_owned();
        let query = head.uri.query().unwrap_or_default().to_owned();
        if path == "/v2/" {
            return reply::text(StatusCode::OK, "{}");
        }
        if path == "/v2/_catalog" {
            return reply::names(&self.state(), None, &query);
        }
        if path == "/v2/_oci/ext/discover" && self.state().direct.is_some() {
            return reply::text(StatusCode::OK, EXTENSIONS);
        }
        let rest = path.strip_prefix("/v2/").unwrap_or_default();
        if let Some((repository, name)) = rest.split_once("/_wharf/direct/uploads/") {
            return self.direct(&head, body, repository, name, &query).await;
        }
        for (kind, part) in [
            (Kind::Uploads, "/blobs/uploads/"),
            (Kind::Blobs, "/blobs/"),
            (Kind::Manifests, "/manifests/"),
            (Kind::Referrers, "/referrers/"),
            (Kind::Tags, "/tags/"),
        ] {
            let Some((repository, name)) = rest.split_once(part) else { continue };
            return match kind {
                Kind::Uploads => self.upload(&head, body, repository, name, &query).await,
                Kind::Manifests if head.method == Method::PUT => {
                    self.put_manifest(&head, body, repository, name, &query).await
                }
                Kind::Blobs => reply::blob(&mut self.state(), &head, repository, name),
                Kind::Manifests => reply::manifest(&self.state(), &head, repository, name),
                Kind::Referrers => reply::referrers(&self.state(), repository, name),
                Kind::Tags => reply::names(&self.state(), Some(repository), &query),
            };
        }
        reply::text(StatusCode::NOT_FOUND, "")
    }
}

enum Kind {
    Uploads,
    Blobs,
    Manifests,
    Referrers,
    Tags,
}

/// A reply without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(reply::full(Bytes::new()));
    *response.status_mut() = status;
    response
}
