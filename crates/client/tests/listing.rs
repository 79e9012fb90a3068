//! Lists of tags and repositories, page by page.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{FakeRegistry, client, repository};
use wharf_client::{Error, HostName, Names};

async fn registry_with(count: usize) -> FakeRegistry {
    let registry = FakeRegistry::start().await;
    for number in 0..count {
        let key = ("team/app".to_owned(), format!("t{number:05}"));
        registry.state().manifests.insert(key, ("x/y".to_owned(), "{}".into()));
    }
    registry
}

fn tags(registry: &FakeRegistry) -> Names {
    repository(&client(), registry, "team/app").tags().unwrap()
}

#[tokio::test]
async fn all_pages_are_followed_by_their_links() {
    let registry = registry_with(7).await;
    registry.fault(|fault| fault.page = Some((2, true)));
    let names = tags(&registry).collect(100).await.unwrap();
    assert_eq!(names.len(), 7);
    assert!(names.is_sorted());
    assert_eq!(registry.requests().len(), 4);
}

#[tokio::test]
async fn full_pages_without_links_are_followed_by_the_last_name() {
    let registry = registry_with(2500).await;
    registry.fault(|fault| fault.page = Some((1000, false)));
    let names = tags(&registry).collect(10_000).await.unwrap();
    assert_eq!(names.len(), 2500);
    assert!(registry.requests()[1].ends_with("?n=1000&last=t00999"));
}

#[tokio::test]
async fn a_registry_that_sends_everything_at_once_is_asked_once() {
    let registry = registry_with(1234).await;
    assert_eq!(tags(&registry).collect(10_000).await.unwrap().len(), 1234);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn pages_come_one_at_a_time() {
    let registry = registry_with(3).await;
    registry.fault(|fault| fault.page = Some((2, true)));
    let mut tags = tags(&registry);
    assert_eq!(tags.next().await.unwrap().unwrap(), ["t00000", "t00001"]);
    assert_eq!(registry.requests().len(), 1);
    assert_eq!(tags.next().await.unwrap().unwrap(), ["t00002"]);
    assert_eq!(tags.next().await.unwrap(), None);
}

#[tokio::test]
async fn more_names_than_wanted_are_an_error() {
    let registry = registry_with(7).await;
    let error = tags(&registry).collect(6).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 6, .. }), "{error}");
}

#[tokio::test]
async fn repositories_are_listed() {
    let registry = registry_with(2).await;
    let host: HostName = registry.host().parse().unwrap();
    let names = client().registry(&host).repositories().unwrap().collect(10).await.unwrap();
    assert_eq!(names, ["team/app"]);
}
