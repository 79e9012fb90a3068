//! The registry's API over HTTP: finds the route of a request, has it done, and answers.
//!
//! One resource a file; the whole of it can be read in the table in `routes.rs`. Nothing here knows a
//! database or a file: everything is asked of [`wharf_core::Registry`].

mod access;
mod blobs;
pub mod browser;
mod call;
pub mod conditions;
mod delivery;
mod direct_uploads;
mod failure;
mod health;
mod image_limits;
pub mod management;
mod manifests;
pub mod query;
mod referrers;
mod reply;
pub mod routes;
mod shares;
mod support;
mod tags;
mod token;
mod unread;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, EXPECT, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Response, Version, request::Parts};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tracing::Instrument;
use wharf_core::{Error, Registry};

pub use access::Access;
pub use browser::Browsers;
pub use delivery::{Carrier, Delivery};
pub use image_limits::{ImageLimits, ImageRates};
pub use routes::{Endpoint, ROUTES, Resource, Route};

use crate::access_log::{self, AccessLog, RequestId, RequestIds};
use crate::body::Body;
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::serve::{Connection, Handler, Watch};
use call::{Asker, Call};
use failure::Failure;
use health::Readiness;
use management::problem::Problem;
use routes::{Found, Place};
use shares::Shares;
use unread::Unread;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const NO_SNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// How many manifests are received at once: with 4 MiB each, half a GiB.
const MOST_MANIFESTS: usize = 128;

/// How many bodies have their rest thrown away at once.
const MOST_UNREAD: usize = 256;

/// How many requests change something at once.
const MOST_CHANGES: u32 = 1 << 16;

/// Makes the span of a request, for traces.
pub type MakeSpan = Box<dyn Fn(&Parts, &'static str) -> tracing::Span + Send + Sync>;

/// What the API needs to know beside the registry.
pub struct Settings {
    /// Where clients see us.
    pub origin: Origin,
    /// Whether the registry is served; else only health is.
    pub registry: bool,
    /// Whose tokens are taken; `None` serves everyone.
    pub access: Option<Access>,
    /// How often images may be pulled and pushed; `None` sets no limit.
    pub image_limits: Option<ImageLimits>,
    /// Who carries blobs to clients.
    pub delivery: Delivery,
    /// How long a shared cache may keep what a tag names. Zero: it asks each time.
    pub tag_max_age: Duration,
    /// The smallest chunk that clients are asked to send, in bytes; 0 for any.
    pub min_chunk: u64,
    /// How long a body may stall.
    pub body_stall: Duration,
    /// The least average rate of a body in bytes a second.
    pub min_body_rate: u64,
    /// Makes spans, when traces are on.
    pub make_span: Option<MakeSpan>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origin: Origin::default(),
            registry: true,
            access: None,
            image_limits: None,
            delivery: Delivery::default(),
            tag_max_age: Duration::ZERO,
            min_chunk: 0,
            body_stall: Duration::from_secs(30),
            min_body_rate: 512,
            make_span: None,
        }
    }
}

/// The API.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    settings: Settings,
    metrics: Arc<Metrics>,
    log: AccessLog,
    ids: RequestIds,
    draining: AtomicBool,
    readiness: Readiness,
    /// Places for manifests being received, and who holds them.
    manifests: Arc<Semaphore>,
    manifest_shares: Arc<Shares>,
    /// Who holds the registry's places for uploads.
    upload_shares: Arc<Shares>,
    /// Places for bodies whose rest is thrown away.
    unread: Arc<Semaphore>,
    /// Places for requests that change something, all of them free when none is under way.
    changes: Arc<Semaphore>,
    keeping: reply::Keeping,
}

impl Api {
    /// An API for `registry`.
    pub fn new(
        registry: Arc<Registry>,
        settings: Settings,
        metrics: Arc<Metrics>,
        log: AccessLog,
    ) -> Self {
        let limited = settings.image_limits.as_ref().is_some_and(|limits| limits.pulls.is_any());
        let keeping = reply::Keeping::new(settings.access.is_none(), limited, settings.tag_max_age);
        let upload_shares = Shares::of(registry.rules().max_uploads_in_flight);
        Self(Arc::new(Inner {
            registry,
            settings,
            metrics,
            log,
            ids: RequestIds::new(),
            draining: AtomicBool::new(false),
            readiness: Readiness::default(),
            manifests: Arc::new(Semaphore::new(MOST_MANIFESTS)),
            manifest_shares: Shares::of(MOST_MANIFESTS),
            upload_shares,
            unread: Arc::new(Semaphore::new(MOST_UNREAD)),
            changes: Arc::new(Semaphore::new(MOST_CHANGES as usize)),
            keeping,
        }))
    }

    /// From now on `/readyz` says that this process is about to stop, so that load balancers look elsewhere.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }
}

impl Api {
    /// Waits until everything that changes something has come to its end, `longest` at most: what clients
    /// sent before they were cut is then recorded. Returns whether all of it has.
    pub async fn settled(&self, longest: Duration) -> bool {
        tokio::time::timeout(longest, self.0.changes.acquire_many(MOST_CHANGES)).await.is_ok()
    }
}

impl Handler for Api {
    async fn handle(&self, request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        let inner = &self.0;
        let id = inner.ids.next_id();
        let client = inner.settings.origin.client_address(request.headers(), connection.peer.ip());
        let mut entry = inner.log.begin(&request, id, client);
        let (head, body) = request.into_parts();
        if management::is_of(head.uri.path()) {
            return self.manage(head, body, connection, id, entry).await;
        }
        let is_api = head.uri.path().starts_with("/v2");
        let found = match routes::find(&head.method, head.uri.path()) {
            Found::Route(..) | Found::OtherMethods(_) if is_api && !inner.settings.registry => {
                Found::Nothing
            }
            found => found,
        };
        let operation = match &found {
            Found::Route(route, _) => route.operation,
            _ => "none",
        };
        entry.set_operation(operation);
        let mut measurement = inner.metrics.begin(operation);
        // A client that awaits our word before it sends its body has sent none.
        let lingers = head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT);
        let body = Unread::new(body, lingers.then(|| Arc::clone(&inner.unread)));
        let answered = match found {
            _ if !names_one_host(&head) => Err(Failure::host_missing()),
            Found::Route(route, place) => {
                let asker = Asker::default();
                let told = Arc::clone(&asker);
                let call = Call::new(self.clone(), head, body, *connection, place, id, told);
                let answered = self.answer(route, call).await;
                if let Some(principal) = asker.get() {
                    entry.set_principal(Arc::clone(principal));
                }
                answered
            }
            Found::OtherMethods(allowed) => {
                Err(Failure::method_not_allowed(&head.method, &allowed))
            }
            Found::Nothing => Err(Failure::no_such_route(head.uri.path())),
        };
        let mut response = answered.unwrap_or_else(|failure| failure.into_response(id, operation));
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id.header_value());
        headers.insert(NO_SNIFF, HeaderValue::from_static("nosniff"));
        if is_api {
            headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        }
        entry.set_status(response.status());
        measurement.set_status(response.status());
        response.extensions_mut().insert(Watch::new((entry, measurement)));
        response
    }
}

impl Api {
    async fn answer(&self, route: &'static Route, call: Call) -> Result<Response<Body>, Failure> {
        let span = self.0.settings.make_span.as_ref().map(|make| make(&call.head, route.operation));
        let work = dispatch(route.endpoint, call);
        if route.mutates { self.to_the_end(span, work).await? } else { within(span, work).await }
    }

    /// Answers a request of the management API.
    async fn manage(
        &self,
        head: Parts,
        body: Incoming,
        connection: &Connection,
        id: RequestId,
        mut entry: access_log::Entry,
    ) -> Response<Body> {
        let inner = &self.0;
        let found = management::find(&head.method, head.uri.path());
        let operation = match &found {
            management::Found::Endpoint(endpoint, _) => endpoint.operation,
            _ => "none",
        };
        entry.set_operation(operation);
        let mut measurement = inner.metrics.begin(operation);
        let (is_head, asker) = (is_head(&head.method), Asker::default());
        let answered = self.managed(found, head, body, connection, id, Arc::clone(&asker)).await;
        if let Some(principal) = asker.get() {
            entry.set_principal(Arc::clone(principal));
        }
        let mut response = answered.unwrap_or_else(|problem| problem.into_response(id, operation));
        if is_head {
            let length = HeaderValue::from(http_body::Body::size_hint(response.body()).lower());
            response.headers_mut().insert(CONTENT_LENGTH, length);
            *response.body_mut() = Body::empty();
        }
        response.headers_mut().insert(REQUEST_ID, id.header_value());
        response.headers_mut().insert(NO_SNIFF, HeaderValue::from_static("nosniff"));
        entry.set_status(response.status());
        measurement.set_status(response.status());
        response.extensions_mut().insert(Watch::new((entry, measurement)));
        response
    }

    async fn managed(
        &self,
        found: management::Found,
        head: Parts,
        body: Incoming,
        connection: &Connection,
        id: RequestId,
        asker: Asker,
    ) -> Result<Response<Body>, Problem> {
        let inner = &self.0;
        // Also where nothing of it is looked at: it is read away, so that the answer arrives.
        let lingers = head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT);
        let body = Unread::new(body, lingers.then(|| Arc::clone(&inner.unread)));
        if !names_one_host(&head) {
            return Err(Problem::invalid(
                "Host",
                "an HTTP/1.1 request has exactly one Host header",
            ));
        }
        let management =
            inner.settings.access.as_ref().and_then(|access| access.management.clone());
        let (endpoint, params, management) = match (found, management) {
            (management::Found::Endpoint(endpoint, params), Some(management)) => {
                (endpoint, params, management)
            }
            (management::Found::OtherMethods(allowed), Some(_)) => {
                return Err(Problem::other_methods(&head.method, &allowed));
            }
            _ => return Err(Problem::no_such_path(head.uri.path())),
        };
        let span = inner.settings.make_span.as_ref().map(|make| make(&head, endpoint.operation));
        let call = Call::new(self.clone(), head, body, *connection, Place::default(), id, asker);
        let work = endpoint.answer(call, params, management);
        if !endpoint.mutates() {
            return within(span, work).await;
        }
        let ended = self.to_the_end(span, work).await;
        ended.unwrap_or_else(|_| Err(Error::Busy("too many changes are under way").into()))
    }

    /// Does work that changes something. A client that goes away makes the server drop its request; this is not dropped
    /// half-way: it goes on, on its own, to a state that is whole.
    async fn to_the_end<T: Send + 'static>(
        &self,
        span: Option<tracing::Span>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = Arc::clone(&self.0.changes).try_acquire_owned();
        let place = place.map_err(|_| Error::Busy("too many changes are under way"))?;
        let work = async move {
            let _place = place;
            work.await
        };
        let task = tokio::spawn(within(span, work));
        task.await.map_err(|_| Failure::internal("a request's task died"))
    }
}

async fn within<T>(span: Option<tracing::Span>, work: impl Future<Output = T>) -> T {
    match span {
        Some(span) => work.instrument(span).await,
        None => work.await,
    }
}

async fn dispatch(endpoint: Endpoint, call: Call) -> Result<Response<Body>, Failure> {
    match endpoint {
        Endpoint::Alive => Ok(health::alive()),
        Endpoint::Ready => health::ready(call).await,
        Endpoint::IssueToken => token::issue(call).await,
        Endpoint::TokenKeys => token::keys(&call),
        Endpoint::ShowLogin => browser::show_login(call).await,
        Endpoint::LogIn => browser::log_in(call).await,
        Endpoint::LogOut => browser::log_out(call).await,
        Endpoint::BeginLogin => browser::begin_login(call).await,
        Endpoint::FinishLogin => browser::finish_login(call).await,
        Endpoint::ShowDevice => browser::show_device(call).await,
        Endpoint::DecideDevice => browser::decide_device(call).await,
        Endpoint::BeginDevice => browser::begin_device(call).await,
        Endpoint::DeviceToken => browser::device_token(call).await,
        Endpoint::CheckSupport => support::check(call).await,
        Endpoint::DiscoverExtensions => support::discover(call).await,
        Endpoint::ListRepositories => tags::list_repositories(call).await,
        Endpoint::ListTags => tags::list(call).await,
        Endpoint::PullManifest => manifests::pull(call).await,
        Endpoint::PushManifest => manifests::push(call).await,
        Endpoint::DeleteManifest => manifests::delete(call).await,
        Endpoint::ListReferrers => referrers::list(call).await,
        Endpoint::PullBlob => blobs::pull(call).await,
        Endpoint::DeleteBlob => blobs::delete(call).await,
        Endpoint::StartUpload => uploads::start(call).await,
        Endpoint::GetUpload => uploads::get(call).await,
        Endpoint::AppendUpload => uploads::append(call).await,
        Endpoint::FinishUpload => uploads::finish(call).await,
        Endpoint::CancelUpload => uploads::cancel(call).await,
        Endpoint::StartDirectUpload => direct_uploads::start(call).await,
        Endpoint::GetDirectUpload => direct_uploads::get(call).await,
        Endpoint::AddressParts => direct_uploads::address(call).await,
        Endpoint::PutPart => direct_uploads::put_part(call).await,
        Endpoint::FinishDirectUpload => direct_uploads::finish(call).await,
        Endpoint::CancelDirectUpload => direct_uploads::cancel(call).await,
    }
}

/// An HTTP/1.1 request names its host once (RFC 9112, section 3.2); proxies disagree about others.
fn names_one_host(head: &Parts) -> bool {
    head.version != Version::HTTP_11 || head.headers.get_all(HOST).iter().count() == 1
}

/// Whether a request wants the headers alone.
fn is_head(method: &Method) -> bool {
    method == Method::HEAD
}
