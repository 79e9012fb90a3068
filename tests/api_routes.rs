//! Authorization by the table of routes: each asks for what its operation requires, before any store is touched.
//!
//! A route that is added without an authorization, or with another one, fails here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "api_routes_served.rs"]
mod served;
#[path = "api_routes_stores.rs"]
mod stores;
#[path = "api/wire.rs"]
mod wire;

use served::Served;
use stores::shown;
use wharf_core::UploadId;
use wharf_core::operation::*;
use wharf_http::api::{Endpoint, ROUTES, Resource, Route};
use wharf_oci::{Digest, Reference, RepositoryName};

/// An image without layers, whose config nobody holds.
const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
const UPLOAD: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn every_route_but_probes_is_denied_when_everything_is_and_touches_no_store() {
    let api = Served::start(false);
    for call in all_calls() {
        let touched_before = api.watched.touches();

        let reply = api.answer(call.method, &call.target, call.body);

        let what = format!("{} {}", call.method, call.target);
        if call.requirements.is_empty() {
            assert_ne!(reply.status, 403, "{what} is a probe");
            continue;
        }
        assert_eq!(reply.status, 403, "{what}: {}", reply.text());
        if call.method != "HEAD" {
            let denied = r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
            assert_eq!(reply.text(), denied, "{what}");
        }
        let asked = api.watched.asked().pop().expect("the permissions are asked");
        assert_eq!(asked.requirement, call.requirements[0], "{what}");
        assert_eq!(*api.watched.asked(), [], "{what} asks no more once it was denied");
        assert_eq!(api.watched.touches(), touched_before, "{what} touches a store");
    }
    assert_eq!(api.watched.blobs.inner().counts(), (0, 0));
}

#[test]
fn every_route_asks_for_exactly_what_its_operation_requires_and_asks_first() {
    let api = Served::start(true);
    for call in all_calls() {
        let touched_before = api.watched.touches();

        let reply = api.answer(call.method, &call.target, call.body);

        let what = format!("{} {}: {} {}", call.method, call.target, reply.status, reply.text());
        let asked = std::mem::take(&mut *api.watched.asked());
        let requirements: Vec<&str> =
            asked.iter().map(|asked| asked.requirement.as_str()).collect();
        assert_eq!(requirements, call.requirements, "{what}");
        for asked in asked.iter().take(1) {
            assert_eq!(asked.touched_before, touched_before, "{what}: a store was touched before");
        }
    }
}

#[test]
fn every_route_is_named_and_marked_by_the_operation_that_it_asks_for() {
    for route in &ROUTES {
        let Some(operation) = operation(route.endpoint) else {
            // Health, and the door itself: what tells who somebody is cannot ask for it.
            let operation = match route.endpoint {
                Endpoint::Alive | Endpoint::Ready => "probe",
                Endpoint::IssueToken | Endpoint::TokenKeys => "token",
                _ => "login",
            };
            assert_eq!((route.operation, route.mutates), (operation, false), "{route:?}");
            continue;
        };
        assert_eq!(
            (route.operation, route.mutates),
            (operation.name, operation.mutates),
            "{route:?}"
        );
        let reads = matches!(route.method.as_str(), "GET" | "HEAD");
        assert_eq!(route.mutates, !reads, "{route:?}");
    }
}

/// What the table's row must agree with.
struct Stated {
    name: &'static str,
    mutates: bool,
    requirement: String,
}

fn stated<O: Operation>(operation: O) -> Option<Stated> {
    let requirement = shown(operation.requirement());
    Some(Stated { name: O::NAME, mutates: O::MUTATES, requirement })
}

fn app() -> RepositoryName {
    "app".parse().unwrap()
}

fn digest() -> Digest {
    format!("sha256:{}", "0".repeat(64)).parse().unwrap()
}

/// The operation behind an end-point; none behind a probe. An end-point that is new does not compile without.
fn operation(endpoint: Endpoint) -> Option<Stated> {
    let (repository, digest, subject) = (app(), digest(), digest());
    let reference: Reference = "latest".parse().unwrap();
    let upload: UploadId = UPLOAD.parse().unwrap();
    match endpoint {
        Endpoint::Alive | Endpoint::Ready | Endpoint::IssueToken | Endpoint::TokenKeys => None,
        Endpoint::ShowLogin | Endpoint::LogIn | Endpoint::LogOut => None,
        Endpoint::BeginLogin | Endpoint::FinishLogin => None,
        Endpoint::ShowDevice | Endpoint::DecideDevice => None,
        Endpoint::BeginDevice | Endpoint::DeviceToken => None,
        Endpoint::CheckSupport => stated(CheckSupport {}),
        Endpoint::DiscoverExtensions => stated(DiscoverExtensions {}),
        Endpoint::ListRepositories => stated(ListRepositories {}),
        Endpoint::ListTags => stated(ListTags { repository }),
        Endpoint::PullManifest => stated(PullManifest { repository, reference }),
        Endpoint::PushManifest => stated(PutManifest { repository, reference, tags: Vec::new() }),
        Endpoint::DeleteManifest => stated(DeleteManifest { repository, reference }),
        Endpoint::ListReferrers => stated(ListReferrers { repository, subject }),
        Endpoint::PullBlob => stated(PullBlob { repository, digest }),
        Endpoint::DeleteBlob => stated(DeleteBlob { repository, digest }),
        Endpoint::StartUpload => stated(StartUpload { repository }),
        Endpoint::GetUpload => stated(GetUpload { repository, upload }),
        Endpoint::AppendUpload => stated(AppendUpload { repository, upload }),
        Endpoint::FinishUpload => stated(FinishUpload { repository, upload, digest }),
        Endpoint::CancelUpload => stated(CancelUpload { repository, upload }),
        Endpoint::StartDirectUpload => stated(StartDirectUpload { repository }),
        Endpoint::GetDirectUpload => stated(GetDirectUpload { repository, upload }),
        Endpoint::AddressParts => stated(AddressParts { repository, upload }),
        Endpoint::PutPart => stated(PutPart { repository, upload }),
        Endpoint::FinishDirectUpload => stated(FinishDirectUpload { repository, upload, digest }),
        Endpoint::CancelDirectUpload => stated(CancelDirectUpload { repository, upload }),
    }
}

/// A request, and what it must ask for when all is allowed.
struct Call {
    method: &'static str,
    target: String,
    body: &'static str,
    requirements: Vec<String>,
}

/// Each route, in each form that asks for something else or reaches other stores.
fn all_calls() -> Vec<Call> {
    ROUTES.iter().flat_map(calls).collect()
}

fn calls(route: &'static Route) -> Vec<Call> {
    let digest = digest();
    let targets = match route.resource {
        Resource::Health => vec!["/healthz".to_owned()],
        Resource::Readiness => vec!["/readyz".to_owned()],
        Resource::Token => vec!["/token".to_owned()],
        Resource::TokenKeys => vec!["/.well-known/jwks.json".to_owned()],
        Resource::Login => vec!["/login".to_owned()],
        Resource::ProviderLogin => vec!["/login/sso".to_owned()],
        Resource::ProviderCallback => vec!["/login/sso/callback".to_owned()],
        Resource::Logout => vec!["/logout".to_owned()],
        Resource::Device => vec!["/device".to_owned()],
        Resource::DeviceGrant => vec!["/oauth2/device".to_owned()],
        Resource::DeviceToken => vec!["/oauth2/token".to_owned()],
        Resource::Root => vec!["/v2/".to_owned(), "/v2".to_owned()],
        Resource::Catalog => vec!["/v2/_catalog".to_owned(), "/v2/_catalog?n=1&last=a".to_owned()],
        Resource::Extensions => {
            vec!["/v2/_oci/ext/discover".to_owned(), "/v2/app/_oci/ext/discover".to_owned()]
        }
        Resource::Tags => vec!["/v2/app/tags/list".to_owned()],
        Resource::Manifest => {
            vec!["/v2/app/manifests/latest".to_owned(), format!("/v2/app/manifests/{digest}")]
        }
        Resource::Referrers => vec![format!("/v2/app/referrers/{digest}")],
        Resource::Blob => vec![format!("/v2/app/blobs/{digest}")],
        Resource::Uploads => {
            let uploads = "/v2/app/blobs/uploads/";
            let mount = format!("{uploads}?mount={digest}");
            let from = format!("{mount}&from=other");
            vec![uploads.to_owned(), format!("{uploads}?digest={digest}"), mount, from]
        }
        Resource::Upload => vec![format!("/v2/app/blobs/uploads/{UPLOAD}?digest={digest}")],
        Resource::DirectUploads => {
            let uploads = "/v2/app/_wharf/direct/uploads";
            vec![uploads.to_owned(), format!("{uploads}/")]
        }
        Resource::DirectUpload => {
            vec![format!("/v2/app/_wharf/direct/uploads/{UPLOAD}?digest={digest}")]
        }
        Resource::Parts => vec![format!("/v2/app/_wharf/direct/uploads/{UPLOAD}/parts")],
        Resource::Part => vec![format!("/v2/app/_wharf/direct/uploads/{UPLOAD}/parts/1")],
    };
    let method = route.method.as_str();
    let body = if route.endpoint == Endpoint::PushManifest { MANIFEST } else { "" };
    let required: Vec<String> =
        operation(route.endpoint).into_iter().map(|stated| stated.requirement).collect();
    let call = |target: String| Call { method, target, body, requirements: required.clone() };
    targets.into_iter().map(call).collect()
}
