//! Pushing large blobs in parts, and falling back to the standard protocol where that goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use support::auth::Auth;
use support::direct::Direct;
use support::images::descriptor;
use support::{FakeRegistry, Layout, client, repository};
use wharf_client::{Error, LayoutFolder, Placed, Progress, Repository, Silent};
use wharf_oci::Descriptor;

/// Four parts of 8 MiB and a bit.
const SIZE: usize = (32 << 20) + 7;

/// A registry, a blob to be pushed to it, and whether that came to be.
struct Stand {
    registry: FakeRegistry,
    layout: Layout,
    blob: Descriptor,
    bytes: Bytes,
}

impl Stand {
    async fn new(direct: Option<Direct>) -> Self {
        Self::with_size(direct, SIZE).await
    }

    async fn with_size(direct: Option<Direct>, size: usize) -> Self {
        let (registry, layout) = (FakeRegistry::start().await, Layout::new());
        registry.state().direct = direct;
        let bytes: Bytes = (0..size).map(|index| (index / 7 + index / 65_536) as u8).collect();
        let blob = descriptor(&layout.blob("application/vnd.oci.image.layer.v1.tar", &bytes));
        Self { registry, layout, blob, bytes }
    }

    fn repository(&self) -> Repository {
        repository(&client(), &self.registry, "team/app")
    }

    async fn push(&self) -> Result<Placed, Error> {
        self.push_to(&self.repository()).await
    }

    async fn push_to(&self, repository: &Repository) -> Result<Placed, Error> {
        let source = LayoutFolder::open(self.layout.path())?;
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        repository.push_blob(&self.blob, &source, None, &progress).await
    }

    fn arrived(&self) -> bool {
        let blob = self.registry.blob("team/app", &self.blob.digest.to_string());
        blob.is_some_and(|blob| blob == self.bytes)
    }
}

#[tokio::test]
async fn a_large_blob_goes_in_parts_and_no_session_stays() {
    let stand = Stand::new(Some(Direct { under_way: 2, ..Direct::default() })).await;
    assert_eq!(stand.push().await.unwrap(), Placed::Copied);
    assert!(stand.arrived());
    let registry = &stand.registry;
    assert_eq!((registry.count("/parts/"), registry.count("PATCH")), (5, 0));
    assert_eq!(registry.count("?digest="), 3, "the end was asked for until it was there");
    assert!(registry.state().uploads.is_empty());
}

#[tokio::test]
async fn whether_they_are_offered_is_asked_once_and_only_for_large_blobs() {
    let stand = Stand::new(None).await;
    let repository = stand.repository();
    assert_eq!(stand.push_to(&repository).await.unwrap(), Placed::Copied);
    stand.registry.state().blobs.clear();
    assert_eq!(stand.push_to(&repository).await.unwrap(), Placed::Copied);
    assert!(stand.arrived());
    assert_eq!(stand.registry.count("/_oci/ext/discover"), 1);
    let small = Stand::with_size(Some(Direct::default()), 2 << 20).await;
    small.push().await.unwrap();
    assert!(small.arrived());
    assert_eq!(small.registry.count("/_"), 0);
}

#[tokio::test]
async fn who_wants_none_gets_none() {
    let stand = Stand::new(Some(Direct::default())).await;
    let host = stand.registry.host().parse().unwrap();
    let registry = client().registry(&host).without_direct_uploads();
    stand.push_to(&registry.repository(&"team/app".parse().unwrap())).await.unwrap();
    assert!(stand.arrived());
    assert_eq!(stand.registry.count("/_"), 0);
}

#[tokio::test]
async fn a_part_that_is_refused_is_sent_again_to_a_new_address() {
    let refuse = vec![StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];
    let stand = Stand::new(Some(Direct { refuse, ..Direct::default() })).await;
    stand.push().await.unwrap();
    assert!(stand.arrived());
    assert_eq!((stand.registry.count("/parts/"), stand.registry.count("PATCH")), (7, 0));
    assert_eq!(stand.registry.count("/d1/parts"), 7 + 3);
}

#[tokio::test]
async fn what_cannot_go_in_parts_goes_by_the_standard_protocol() {
    // A port that nobody listens at.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for direct in [
        Direct { parts_at: format!("http://{closed}"), authorize: false, ..Direct::default() },
        Direct { refuse: vec![StatusCode::FORBIDDEN; 40], ..Direct::default() },
        Direct { refuse_end: Some(StatusCode::BAD_REQUEST), ..Direct::default() },
    ] {
        let stand = Stand::new(Some(direct.clone())).await;
        let repository = stand.repository();
        assert_eq!(stand.push_to(&repository).await.unwrap(), Placed::Copied, "{direct:?}");
        assert!(stand.arrived(), "{direct:?}");
        let registry = &stand.registry;
        assert_eq!(registry.count("DELETE /v2/team/app/_wharf/direct/uploads/d1"), 1);
        // It is not tried again.
        stand.registry.state().blobs.clear();
        let before = registry.count("_wharf");
        stand.push_to(&repository).await.unwrap();
        assert_eq!(registry.count("_wharf"), before);
    }
}

#[tokio::test]
async fn a_plan_that_does_not_fit_is_not_followed() {
    for direct in [
        Direct { lies_by: 1, ..Direct::default() },
        Direct { part_size: 1000, ..Direct::default() },
        Direct { part_size: 1 << 40, ..Direct::default() },
    ] {
        let stand = Stand::new(Some(direct.clone())).await;
        stand.push().await.unwrap();
        assert!(stand.arrived(), "{direct:?}");
        assert_eq!(stand.registry.count("/parts"), 0, "{direct:?}");
    }
}

#[tokio::test]
async fn credentials_go_to_the_registry_alone() {
    let other = FakeRegistry::start().await;
    other.state().direct = Some(Direct::default());
    let parts_at = format!("http://{}", other.host());
    // One that would have them sent elsewhere is not followed.
    let stand = Stand::new(Some(Direct { parts_at: parts_at.clone(), ..Direct::default() })).await;
    stand.push().await.unwrap();
    assert!(stand.arrived());
    assert!(other.requests().is_empty());

    let refuse_end = Some(StatusCode::BAD_REQUEST);
    let direct = Direct { parts_at, authorize: false, refuse_end, ..Direct::default() };
    let stand = Stand::new(Some(direct)).await;
    stand.registry.state().auth = Auth::Basic("Basic bWU6c2VjcmV0".to_owned());
    let mut credentials = wharf_client::KnownCredentials::default();
    let password = wharf_client::Secret::new("secret");
    let host = stand.registry.host().parse().unwrap();
    let me = wharf_client::Credentials { username: "me".to_owned(), password };
    credentials.insert(&host, me);
    let repository = repository(&support::client_as(credentials), &stand.registry, "team/app");
    stand.push_to(&repository).await.unwrap();
    assert_eq!(other.count("/parts/"), 5);
    assert!(other.state().log.iter().all(|seen| !seen.headers.contains_key("authorization")));
    assert!(stand.registry.count("PUT /v2/team/app/_wharf/direct/uploads/d1?digest") > 0);
}

#[tokio::test]
async fn a_source_that_is_not_the_blob_is_told_and_nothing_is_tried_instead() {
    let stand = Stand::new(Some(Direct::default())).await;
    let file = stand.layout.file(&stand.blob.digest.to_string());
    let mut changed = stand.bytes.to_vec();
    changed[5] ^= 1;
    std::fs::write(&file, &changed).unwrap();
    let pushed = stand.push().await;
    assert!(matches!(pushed, Err(Error::Digest { .. })), "{pushed:?}");
    std::fs::write(&file, &changed[..SIZE - 1]).unwrap();
    assert!(stand.push().await.is_err());
    assert_eq!(stand.registry.count("PATCH"), 0);
    assert_eq!(stand.registry.count("?digest="), 0);
    assert!(stand.registry.state().uploads.is_empty());
}
