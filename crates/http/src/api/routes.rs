//! The routes: the whole API as a table, and how a path finds its place in it.
//!
//! Repository names contain slashes, so a path is read from its end: its last segments say which
//! resource it is, and what stands before them is the name.

use std::ops::Range;

use http::Method;
use wharf_core::operation::{
    AddressParts, AppendUpload, CancelDirectUpload, CancelUpload, CheckSupport, DeleteBlob,
    DeleteManifest, DiscoverExtensions, FinishDirectUpload, FinishUpload, GetDirectUpload,
    GetUpload, ListReferrers, ListRepositories, ListTags, Operation, PullBlob, PullManifest,
    PutManifest, PutPart, StartDirectUpload, StartUpload,
};

/// A kind of resource, by the form of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `/healthz`
    Health,
    /// `/readyz`
    Readiness,
    /// `/token`
    Token,
    /// `/.well-known/jwks.json`
    TokenKeys,
    /// `/login`
    Login,
    /// `/login/{provider}`
    ProviderLogin,
    /// `/login/{provider}/callback`
    ProviderCallback,
    /// `/logout`
    Logout,
    /// `/device`
    Device,
    /// `/oauth2/device`
    DeviceGrant,
    /// `/oauth2/token`
    DeviceToken,
    /// `/v2/`
    Root,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/_oci/ext/discover`, also under a repository
    Extensions,
    /// `/v2/{name}/tags/list`
    Tags,
    /// `/v2/{name}/manifests/{reference}`
    Manifest,
    /// `/v2/{name}/referrers/{digest}`
    Referrers,
    /// `/v2/{name}/blobs/{digest}`
    Blob,
    /// `/v2/{name}/blobs/uploads/`
    Uploads,
    /// `/v2/{name}/blobs/uploads/{upload}`
    Upload,
    /// `/v2/{name}/_wharf/direct/uploads/`
    DirectUploads,
    /// `/v2/{name}/_wharf/direct/uploads/{upload}`
    DirectUpload,
    /// `/v2/{name}/_wharf/direct/uploads/{upload}/parts`
    Parts,
    /// `/v2/{name}/_wharf/direct/uploads/{upload}/parts/{number}`
    Part,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is an operation of wharf_core::operation, or a probe of health"
)]
pub enum Endpoint {
    Alive,
    Ready,
    IssueToken,
    TokenKeys,
    ShowLogin,
    LogIn,
    LogOut,
    BeginLogin,
    FinishLogin,
    ShowDevice,
    DecideDevice,
    BeginDevice,
    DeviceToken,
    CheckSupport,
    DiscoverExtensions,
    ListRepositories,
    ListTags,
    PullManifest,
    PushManifest,
    DeleteManifest,
    ListReferrers,
    PullBlob,
    DeleteBlob,
    StartUpload,
    GetUpload,
    AppendUpload,
    FinishUpload,
    CancelUpload,
    StartDirectUpload,
    GetDirectUpload,
    AddressParts,
    PutPart,
    FinishDirectUpload,
    CancelDirectUpload,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The resource.
    pub resource: Resource,
    /// What it does.
    pub endpoint: Endpoint,
    /// The operation's name in logs and metrics.
    pub operation: &'static str,
    /// Whether it changes anything.
    pub mutates: bool,
}

const fn probe(method: Method, resource: Resource, endpoint: Endpoint) -> Route {
    Route { method, resource, endpoint, operation: "probe", mutates: false }
}

const fn route<O: Operation>(method: Method, resource: Resource, endpoint: Endpoint) -> Route {
    Route { method, resource, endpoint, operation: O::NAME, mutates: O::MUTATES }
}

/// What anyone may ask for, to be let in: nothing of the registry is read or changed by it.
const fn door(method: Method, resource: Resource, endpoint: Endpoint) -> Route {
    Route { method, resource, endpoint, operation: "token", mutates: false }
}

/// What people with a browser ask for, to be let in or to let something in.
const fn page(method: Method, resource: Resource, endpoint: Endpoint) -> Route {
    Route { method, resource, endpoint, operation: "login", mutates: false }
}

/// The whole API.
#[rustfmt::skip]
pub static ROUTES: [Route; 47] = [
    probe(Method::GET, Resource::Health, Endpoint::Alive),
    probe(Method::HEAD, Resource::Health, Endpoint::Alive),
    probe(Method::GET, Resource::Readiness, Endpoint::Ready),
    probe(Method::HEAD, Resource::Readiness, Endpoint::Ready),
    door(Method::GET, Resource::Token, Endpoint::IssueToken),
    door(Method::POST, Resource::Token, Endpoint::IssueToken),
    door(Method::GET, Resource::TokenKeys, Endpoint::TokenKeys),
    door(Method::HEAD, Resource::TokenKeys, Endpoint::TokenKeys),
    page(Method::GET, Resource::Login, Endpoint::ShowLogin),
    page(Method::POST, Resource::Login, Endpoint::LogIn),
    page(Method::POST, Resource::Logout, Endpoint::LogOut),
    page(Method::GET, Resource::ProviderLogin, Endpoint::BeginLogin),
    page(Method::GET, Resource::ProviderCallback, Endpoint::FinishLogin),
    page(Method::GET, Resource::Device, Endpoint::ShowDevice),
    page(Method::POST, Resource::Device, Endpoint::DecideDevice),
    page(Method::POST, Resource::DeviceGrant, Endpoint::BeginDevice),
    page(Method::POST, Resource::DeviceToken, Endpoint::DeviceToken),
    route::<CheckSupport>(Method::GET, Resource::Root, Endpoint::CheckSupport),
    route::<CheckSupport>(Method::HEAD, Resource::Root, Endpoint::CheckSupport),
    route::<ListRepositories>(Method::GET, Resource::Catalog, Endpoint::ListRepositories),
    route::<ListRepositories>(Method::HEAD, Resource::Catalog, Endpoint::ListRepositories),
    route::<DiscoverExtensions>(Method::GET, Resource::Extensions, Endpoint::DiscoverExtensions),
    route::<DiscoverExtensions>(Method::HEAD, Resource::Extensions, Endpoint::DiscoverExtensions),
    route::<ListTags>(Method::GET, Resource::Tags, Endpoint::ListTags),
    route::<ListTags>(Method::HEAD, Resource::Tags, Endpoint::ListTags),
    route::<PullManifest>(Method::GET, Resource::Manifest, Endpoint::PullManifest),
    route::<PullManifest>(Method::HEAD, Resource::Manifest, Endpoint::PullManifest),
    route::<PutManifest>(Method::PUT, Resource::Manifest, Endpoint::PushManifest),
    route::<DeleteManifest>(Method::DELETE, Resource::Manifest, Endpoint::DeleteManifest),
    route::<ListReferrers>(Method::GET, Resource::Referrers, Endpoint::ListReferrers),
    route::<ListReferrers>(Method::HEAD, Resource::Referrers, Endpoint::ListReferrers),
    route::<PullBlob>(Method::GET, Resource::Blob, Endpoint::PullBlob),
    route::<PullBlob>(Method::HEAD, Resource::Blob, Endpoint::PullBlob),
    route::<DeleteBlob>(Method::DELETE, Resource::Blob, Endpoint::DeleteBlob),
    // Also the mount of a blob, which is one way to begin (end-4 and end-11 share the path).
    route::<StartUpload>(Method::POST, Resource::Uploads, Endpoint::StartUpload),
    route::<GetUpload>(Method::GET, Resource::Upload, Endpoint::GetUpload),
    route::<AppendUpload>(Method::PATCH, Resource::Upload, Endpoint::AppendUpload),
    route::<FinishUpload>(Method::PUT, Resource::Upload, Endpoint::FinishUpload),
    route::<CancelUpload>(Method::DELETE, Resource::Upload, Endpoint::CancelUpload),
    route::<GetUpload>(Method::HEAD, Resource::Upload, Endpoint::GetUpload),
    route::<StartDirectUpload>(Method::POST, Resource::DirectUploads, Endpoint::StartDirectUpload),
    route::<GetDirectUpload>(Method::GET, Resource::DirectUpload, Endpoint::GetDirectUpload),
    route::<GetDirectUpload>(Method::HEAD, Resource::DirectUpload, Endpoint::GetDirectUpload),
    route::<FinishDirectUpload>(Method::PUT, Resource::DirectUpload, Endpoint::FinishDirectUpload),
    route::<CancelDirectUpload>(Method::DELETE, Resource::DirectUpload, Endpoint::CancelDirectUpload),
    route::<AddressParts>(Method::POST, Resource::Parts, Endpoint::AddressParts),
    route::<PutPart>(Method::PUT, Resource::Part, Endpoint::PutPart),
];

/// Where in a path its parts are, as byte ranges, not yet decoded or believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The repository's name.
    pub name: Range<usize>,
    /// The last segment, where it names something; of the parts of an upload, the upload.
    pub last: Range<usize>,
    /// The number of a part.
    pub part: Range<usize>,
}

/// What a request's method and path lead to.
#[derive(Clone, Debug)]
pub enum Found {
    /// To this row of the table, with these parts of the path.
    Route(&'static Route, Place),
    /// The resource has other methods.
    OtherMethods(Vec<&'static Method>),
    /// There is no such resource.
    Nothing,
}

/// Where a request leads. `path` is as it came, not decoded.
pub fn find(method: &Method, path: &str) -> Found {
    let Some((resource, place)) = resource(path) else { return Found::Nothing };
    let of_resource = || ROUTES.iter().filter(|route| route.resource == resource);
    match of_resource().find(|route| route.method == *method) {
        Some(route) => Found::Route(route, place),
        None => Found::OtherMethods(of_resource().map(|route| &route.method).collect()),
    }
}

/// The resource that a path names, by its form alone.
fn resource(path: &str) -> Option<(Resource, Place)> {
    let alone = |resource| Some((resource, Place::default()));
    match path {
        "/healthz" => return alone(Resource::Health),
        "/readyz" => return alone(Resource::Readiness),
        "/token" => return alone(Resource::Token),
        "/.well-known/jwks.json" => return alone(Resource::TokenKeys),
        "/login" => return alone(Resource::Login),
        "/logout" => return alone(Resource::Logout),
        "/device" => return alone(Resource::Device),
        "/oauth2/device" => return alone(Resource::DeviceGrant),
        "/oauth2/token" => return alone(Resource::DeviceToken),
        "/v2/" | "/v2" => return alone(Resource::Root),
        "/v2/_catalog" => return alone(Resource::Catalog),
        "/v2/_oci/ext/discover" => return alone(Resource::Extensions),
        _ => {}
    }
    if let Some(below) = path.strip_prefix(LOGIN) {
        return provider(below);
    }
    const START: usize = "/v2/".len();
    path.strip_prefix("/v2/")?;
    if let Some(start) = path.find(DIRECT_UPLOADS) {
        return direct_uploads(path, START..start, start + DIRECT_UPLOADS.len());
    }
    let (rest, last) = before_last(path, START, path.len())?;
    let (name, keyword) = before_last(path, START, rest.end)?;
    let place = |name: Range<usize>| Place { name, last: last.clone(), ..Place::default() };
    match (&path[keyword], &path[last.clone()]) {
        ("tags", "list") => Some((Resource::Tags, place(name))),
        ("manifests", _) => Some((Resource::Manifest, place(name))),
        ("referrers", _) => Some((Resource::Referrers, place(name))),
        ("blobs", "uploads") => Some((Resource::Uploads, place(name))),
        ("blobs", _) => Some((Resource::Blob, place(name))),
        ("uploads", upload) => {
            let (name, keyword) = before_last(path, START, name.end)?;
            if &path[keyword] != "blobs" {
                return None;
            }
            let resource = if upload.is_empty() { Resource::Uploads } else { Resource::Upload };
            Some((resource, place(name)))
        }
        ("ext", "discover") => {
            let (name, keyword) = before_last(path, START, name.end)?;
            (&path[keyword] == "_oci").then(|| (Resource::Extensions, place(name)))
        }
        _ => None,
    }
}

/// What stands before the name of an identity provider.
const LOGIN: &str = "/login/";

/// The resource of an identity provider, by what stands behind [`LOGIN`].
fn provider(below: &str) -> Option<(Resource, Place)> {
    let (resource, name) = match below.split_once('/') {
        None => (Resource::ProviderLogin, below),
        Some((name, "callback")) => (Resource::ProviderCallback, name),
        Some(_) => return None,
    };
    let last = LOGIN.len()..LOGIN.len() + name.len();
    (!name.is_empty()).then_some((resource, Place { last, ..Place::default() }))
}

/// What stands between a repository's name and its direct uploads. No name has a segment that begins so.
const DIRECT_UPLOADS: &str = "/_wharf/direct/uploads";

/// The resource below the direct uploads of the repository `name`, by what stands in the path from `rest` on.
fn direct_uploads(path: &str, name: Range<usize>, rest: usize) -> Option<(Resource, Place)> {
    let mut at = rest;
    let segments = path[rest..].split('/').map(|segment| {
        let start = at;
        at += segment.len() + 1;
        start..start + segment.len()
    });
    let segments: Vec<Range<usize>> = segments.collect();
    let place = |upload: &Range<usize>| Place { name, last: upload.clone(), part: 0..0 };
    match &segments[..] {
        [nothing, ..] if !nothing.is_empty() => None,
        [_] => Some((Resource::DirectUploads, place(&(0..0)))),
        [_, upload] if upload.is_empty() => Some((Resource::DirectUploads, place(&(0..0)))),
        [_, upload] => Some((Resource::DirectUpload, place(upload))),
        [_, upload, parts] if &path[parts.clone()] == "parts" => {
            Some((Resource::Parts, place(upload)))
        }
        [_, upload, parts, number] if &path[parts.clone()] == "parts" => {
            Some((Resource::Part, Place { part: number.clone(), ..place(upload) }))
        }
        _ => None,
    }
}

/// Splits `path[start..end]` at its last slash: what is before it, and what is behind it.
fn before_last(path: &str, start: usize, end: usize) -> Option<(Range<usize>, Range<usize>)> {
    let slash = start + path.get(start..end)?.rfind('/')?;
    Some((start..slash, slash + 1..end))
}
