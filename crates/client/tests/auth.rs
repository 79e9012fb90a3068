//! Telling a registry who one is, and nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::auth::Auth;
use support::{FakeRegistry, Layout, client, client_as, repository};
use wharf_client::{
    Credentials, Error, KnownCredentials, LayoutFolder, RegistryDestination, Secret, Transfer,
};
use wharf_oci::{Algorithm, Hasher, Reference};

/// `ann:s3cret`.
const ANN: &str = "Basic YW5uOnMzY3JldA==";

fn ann(registry: &FakeRegistry) -> KnownCredentials {
    let mut known = KnownCredentials::default();
    let password = Secret::new("s3cret");
    known.insert(
        &registry.host().parse().unwrap(),
        Credentials { username: "ann".into(), password },
    );
    known
}

fn bearer(registry: &FakeRegistry, basic: Option<&str>) {
    registry.state().auth = Auth::Bearer { basic: basic.map(str::to_owned), issued: Vec::new() };
}

fn tokens(registry: &FakeRegistry) -> usize {
    registry.count("/token?")
}

async fn push(registry: &FakeRegistry, known: KnownCredentials) -> Result<(), Error> {
    let layout = Layout::new();
    let image = layout.image(1, &[10, 2 << 20]);
    let source = LayoutFolder::open(layout.path())?;
    let destination = RegistryDestination::new(repository(&client_as(known), registry, "team/app"));
    let root = support::images::descriptor(&image.descriptor);
    Transfer::new(&source, &destination).copy(&root, &["v1".parse().unwrap()]).await.map(|_| ())
}

#[tokio::test]
async fn basic_is_sent_when_it_is_asked_for() {
    let registry = FakeRegistry::start().await;
    registry.state().auth = Auth::Basic(ANN.to_owned());
    push(&registry, ann(&registry)).await.unwrap();
    assert!(registry.tag("team/app", "v1").is_some());
    let state = registry.state();
    let first = &state.log[0];
    assert!(!first.headers.contains_key("authorization"), "not before it is asked for");
}

#[tokio::test]
async fn a_wrong_password_is_told_from_none() {
    let registry = FakeRegistry::start().await;
    registry.state().auth = Auth::Basic("Basic b3RoZXI=".to_owned());
    let error = push(&registry, ann(&registry)).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { had_credentials: true, .. }), "{error}");
    assert!(!error.to_string().contains("s3cret"));
    let error = push(&registry, KnownCredentials::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { had_credentials: false, .. }), "{error}");
}

#[tokio::test]
async fn a_token_is_fetched_once_for_each_scope() {
    let registry = FakeRegistry::start().await;
    bearer(&registry, Some(ANN));
    push(&registry, ann(&registry)).await.unwrap();
    assert!(registry.tag("team/app", "v1").is_some());
    assert_eq!(tokens(&registry), 2, "one to read, one to write");
    let requests = registry.requests();
    let asked: Vec<&String> = requests.iter().filter(|line| line.contains("/token?")).collect();
    assert_eq!(asked[0], "GET /token?service=test&scope=repository:team/app:pull");
    assert_eq!(asked[1], "GET /token?service=test&scope=repository:team/app:pull%2Cpush");
}

#[tokio::test]
async fn anonymous_tokens_need_no_credentials() {
    let registry = FakeRegistry::start().await;
    bearer(&registry, None);
    push(&registry, KnownCredentials::default()).await.unwrap();
    assert!(registry.tag("team/app", "v1").is_some());
}

#[tokio::test]
async fn a_token_that_is_not_good_any_more_is_replaced() {
    let registry = FakeRegistry::start().await;
    bearer(&registry, Some(ANN));
    let known = ann(&registry);
    let repository = repository(&client_as(known), &registry, "team/app");
    let digest = Hasher::digest(Algorithm::Sha256, b"x");
    assert_eq!(repository.blob_size(&digest).await.unwrap(), None);
    if let Auth::Bearer { issued, .. } = &mut registry.state().auth {
        issued.iter_mut().for_each(|one| one.revoked = true);
    }
    assert_eq!(repository.blob_size(&digest).await.unwrap(), None);
    assert_eq!(tokens(&registry), 2);
}

#[tokio::test]
async fn a_token_that_ends_while_a_layer_is_sent_costs_one_try() {
    let registry = FakeRegistry::start().await;
    bearer(&registry, Some(ANN));
    let layout = Layout::new();
    let image = layout.image(1, &[2 << 20]);
    let source = LayoutFolder::open(layout.path()).unwrap();
    let repository = repository(&client_as(ann(&registry)), &registry, "team/app");
    let progress: std::sync::Arc<dyn wharf_client::Progress> =
        std::sync::Arc::new(Revoking(registry.clone()));
    registry.fault(|fault| fault.cut_uploads = [1 << 20].into());
    repository.push_blob(&image.blobs[0], &source, None, &progress).await.unwrap();
    assert_eq!(
        registry.blob("team/app", &image.blobs[0].digest.to_string()).unwrap().len(),
        2 << 20
    );
}

/// Takes back all tokens when an upload is tried again.
struct Revoking(FakeRegistry);

impl wharf_client::Progress for Revoking {
    fn event(&self, event: wharf_client::Event<'_>) {
        if let (wharf_client::Event::Retrying { .. }, Auth::Bearer { issued, .. }) =
            (event, &mut self.0.state().auth)
        {
            issued.iter_mut().for_each(|one| one.revoked = true);
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_an_error_that_names_the_registry() {
    let registry = FakeRegistry::start().await;
    bearer(&registry, Some("Basic b3RoZXI="));
    let error = push(&registry, ann(&registry)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unauthorized { host, had_credentials: true, .. } if host == registry.host())
    );
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host_but_the_range_does() {
    let (registry, storage) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let bytes = support::images::noise(1, 1000);
    let digest = Hasher::digest(Algorithm::Sha256, &bytes);
    let key = ("team/app".to_owned(), digest.to_string());
    storage.state().blobs.insert(key, bytes.into());
    registry.state().auth = Auth::Basic(ANN.to_owned());
    registry.fault(|fault| fault.redirect_blobs = Some(storage.host().to_owned()));
    let repository = repository(&client_as(ann(&registry)), &registry, "team/app");
    let (size, _stream) = repository.blob(&digest, None, 10).await.unwrap();
    assert_eq!(size, 1000);
    let state = storage.state();
    assert!(!state.log[0].headers.contains_key("authorization"));
    assert_eq!(state.log[0].headers["range"], "bytes=10-");
    assert!(state.log[0].path.ends_with("?signature=s3cret"));
}

#[tokio::test]
async fn a_stranger_that_asks_for_a_password_gets_none() {
    let (registry, storage) = (FakeRegistry::start().await, FakeRegistry::start().await);
    storage.state().auth = Auth::Basic(ANN.to_owned());
    registry.fault(|fault| fault.redirect_blobs = Some(storage.host().to_owned()));
    let repository = repository(&client_as(ann(&registry)), &registry, "team/app");
    let digest = Hasher::digest(Algorithm::Sha256, b"x");
    assert!(repository.blob(&digest, None, 0).await.is_err());
    assert_eq!(storage.requests().len(), 1);
    assert!(!storage.state().log[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_redirect_in_circles_ends() {
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| fault.redirect_blobs = Some(registry.host().to_owned()));
    let repository = repository(&client(), &registry, "team/app");
    let digest = Hasher::digest(Algorithm::Sha256, b"x");
    let error = repository.blob(&digest, None, 0).await.err().unwrap();
    assert!(error.to_string().contains("too many redirects"), "{error}");
    assert!(!error.to_string().contains("s3cret"), "a signature is a secret: {error}");
    assert_eq!(registry.requests().len(), 6);
}

#[tokio::test]
async fn a_missing_tag_is_not_a_question_of_credentials() {
    let registry = FakeRegistry::start().await;
    let reference = Reference::Tag("v1".parse().unwrap());
    let error =
        repository(&client(), &registry, "team/app").manifest(&reference).await.unwrap_err();
    assert_eq!(error.to_string(), format!("v1 is not in {}/team/app", registry.host()));
}
