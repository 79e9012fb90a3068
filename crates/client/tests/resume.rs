//! Going on where a connection broke, and giving up where it keeps breaking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use support::images::noise;
use support::{FakeRegistry, Layout, client, repository};
use wharf_client::{
    BlobSource, BlobStream, ClientOptions, Error, Event, LayoutFolder, Placed, Progress, Silent,
    verified,
};
use wharf_oci::{Algorithm, Descriptor, Hasher};

const MIB: usize = 1 << 20;
const NAME: &str = "team/app";

/// A blob of `size` bytes, known to the registry or not.
fn blob(size: usize) -> (Descriptor, Vec<u8>) {
    let bytes = noise(1, size);
    let digest = Hasher::digest(Algorithm::Sha256, &bytes).to_string();
    let value = serde_json::json!({ "mediaType": "x/y", "digest": digest, "size": size });
    (support::images::descriptor(&value), bytes)
}

async fn registry_with(bytes: &[u8], blob: &Descriptor) -> FakeRegistry {
    let registry = FakeRegistry::start().await;
    let key = (NAME.to_owned(), blob.digest.to_string());
    registry.state().blobs.insert(key, bytes.to_vec().into());
    registry
}

async fn pull(registry: &FakeRegistry, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let repository = repository(&client(), registry, NAME);
    let (_, stream) = repository.blob(&blob.digest, Some(blob.size), 0).await?;
    let mut stream = verified(stream, blob);
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await.transpose()? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A layout that holds nothing but this blob.
fn source(bytes: &[u8]) -> (Layout, LayoutFolder) {
    let layout = Layout::new();
    layout.blob("x/y", bytes);
    let folder = LayoutFolder::open(layout.path()).unwrap();
    (layout, folder)
}

async fn push(
    registry: &FakeRegistry,
    blob: &Descriptor,
    from: &dyn BlobSource,
) -> Result<Placed, Error> {
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    repository(&client(), registry, NAME).push_blob(blob, from, None, &progress).await
}

fn ranges(registry: &FakeRegistry, method: &str, header: &str) -> Vec<String> {
    let state = registry.state();
    let requests = state.log.iter().filter(|seen| seen.method == method);
    requests
        .filter_map(|seen| Some(seen.headers.get(header)?.to_str().unwrap().to_owned()))
        .collect()
}

#[tokio::test]
async fn a_pull_goes_on_where_the_connection_broke() {
    let (blob, bytes) = blob(3 * MIB);
    let registry = registry_with(&bytes, &blob).await;
    registry.fault(|fault| fault.cut_downloads = [MIB, MIB].into());
    assert_eq!(pull(&registry, &blob).await.unwrap(), bytes);
    // How much of what was sent arrived before the break is up to the kernel.
    let starts: Vec<usize> = ranges(&registry, "GET", "range")
        .iter()
        .map(|range| range["bytes=".len()..range.len() - 1].parse().unwrap())
        .collect();
    let [first, second] = starts.as_slice() else { panic!("two ranges, not {starts:?}") };
    assert!(0 < *first && first < second && *second <= 2 * MIB, "{starts:?}");
}

#[tokio::test]
async fn a_pull_from_a_registry_that_ignores_ranges_passes_over_what_it_has() {
    let (blob, bytes) = blob(2 * MIB);
    let registry = registry_with(&bytes, &blob).await;
    registry.fault(|fault| {
        fault.cut_downloads = [MIB].into();
        fault.ignores_ranges = true;
    });
    assert_eq!(pull(&registry, &blob).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_pull_that_breaks_without_any_progress_is_given_up() {
    let (blob, bytes) = blob(2 * MIB);
    let registry = registry_with(&bytes, &blob).await;
    registry.fault(|fault| fault.cut_downloads = [0; 50].into());
    let error = pull(&registry, &blob).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert_eq!(registry.count("GET"), 4, "as often as the settings say");
}

#[tokio::test]
async fn a_pull_that_gets_on_a_little_each_time_ends_well() {
    let (blob, bytes) = blob(12 * MIB);
    let registry = registry_with(&bytes, &blob).await;
    registry.fault(|fault| fault.cut_downloads = [MIB; 10].into());
    assert_eq!(pull(&registry, &blob).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_pull_can_begin_anywhere() {
    let (blob, bytes) = blob(1000);
    let registry = registry_with(&bytes, &blob).await;
    let repository = repository(&client(), &registry, NAME);
    for offset in [0, 1, 999, 1000] {
        let (size, stream) = repository.blob(&blob.digest, Some(1000), offset).await.unwrap();
        let pieces: Vec<_> = stream.collect().await;
        let rest: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap()).collect();
        assert_eq!((size, rest.as_slice()), (1000, &bytes[usize::try_from(offset).unwrap()..]));
    }
}

#[tokio::test]
async fn other_bytes_than_the_digest_says_never_count() {
    let (blob, bytes) = blob(1000);
    let registry = registry_with(&bytes, &blob).await;
    registry.fault(|fault| fault.lie = Some(noise(2, 1000).into()));
    assert!(matches!(pull(&registry, &blob).await.unwrap_err(), Error::Digest { .. }));
    registry.fault(|fault| fault.lie = Some(noise(1, 1001).into()));
    assert!(matches!(pull(&registry, &blob).await.unwrap_err(), Error::Size { found: 1001, .. }));
    registry.fault(|fault| fault.lie = Some(noise(1, 999).into()));
    assert!(matches!(pull(&registry, &blob).await.unwrap_err(), Error::Size { found: 999, .. }));
}

#[tokio::test]
async fn a_push_goes_on_where_the_connection_broke() {
    let (blob, bytes) = blob(3 * MIB);
    let (_layout, folder) = source(&bytes);
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| fault.cut_uploads = [MIB, MIB / 2].into());
    push(&registry, &blob, &folder).await.unwrap();
    assert_eq!(registry.blob(NAME, &blob.digest.to_string()).unwrap(), bytes);
    assert_eq!(registry.count("POST"), 1, "it is one upload");
    let last = 3 * MIB - 1;
    let expected =
        [format!("0-{last}"), format!("{MIB}-{last}"), format!("{}-{last}", MIB + MIB / 2)];
    assert_eq!(ranges(&registry, "PATCH", "content-range"), expected);
}

#[tokio::test]
async fn a_push_begins_anew_where_the_registry_forgot_it() {
    let (blob, bytes) = blob(2 * MIB);
    let (_layout, folder) = source(&bytes);
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| {
        fault.cut_uploads = [MIB].into();
        fault.forgets_uploads = true;
    });
    push(&registry, &blob, &folder).await.unwrap();
    assert_eq!(registry.blob(NAME, &blob.digest.to_string()).unwrap(), bytes);
    assert_eq!(registry.count("POST"), 2);
}

#[tokio::test]
async fn a_push_whose_last_reply_was_lost_is_over() {
    for size in [1000, 2 * MIB] {
        let (blob, bytes) = blob(size);
        let (_layout, folder) = source(&bytes);
        let registry = FakeRegistry::start().await;
        registry.fault(|fault| fault.lost_commits = 1);
        push(&registry, &blob, &folder).await.unwrap();
        assert_eq!(registry.blob(NAME, &blob.digest.to_string()).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_push_that_breaks_without_any_progress_is_given_up_and_cancelled() {
    let (blob, bytes) = blob(2 * MIB);
    let (_layout, folder) = source(&bytes);
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| {
        fault.cut_uploads = [0; 50].into();
        fault.forgets_uploads = true;
    });
    let error = push(&registry, &blob, &folder).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(registry.count("PATCH"), 4, "as often as the settings say");
    assert!(registry.state().uploads.is_empty());
}

#[tokio::test]
async fn chunks_are_as_large_as_was_asked_but_no_smaller_than_the_registry_wants() {
    let (blob, bytes) = blob(3 * MIB);
    let (_layout, folder) = source(&bytes);
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| fault.smallest_chunk = Some(2 * MIB as u64));
    let chunk_size = std::num::NonZeroU64::new(MIB as u64);
    let client =
        wharf_client::Client::new(ClientOptions { chunk_size, ..support::hasty() }).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    repository(&client, &registry, NAME).push_blob(&blob, &folder, None, &progress).await.unwrap();
    let expected = [format!("0-{}", 2 * MIB - 1), format!("{}-{}", 2 * MIB, 3 * MIB - 1)];
    assert_eq!(ranges(&registry, "PATCH", "content-range"), expected);
    assert_eq!(registry.blob(NAME, &blob.digest.to_string()).unwrap(), bytes);
}

/// A source whose bytes are other ones, or break off.
struct Bad {
    bytes: Vec<u8>,
    breaks: bool,
}

#[async_trait::async_trait]
impl BlobSource for Bad {
    async fn blob(&self, _: &Descriptor, offset: u64) -> Result<BlobStream, Error> {
        let rest = self.bytes[usize::try_from(offset).unwrap()..].to_vec();
        let mut pieces = vec![Ok(rest.into())];
        if self.breaks {
            let digest = Hasher::digest(Algorithm::Sha256, b"");
            pieces
                .push(Err(Error::NotFound { what: digest.to_string(), place: "the test".into() }));
        }
        Ok(Box::pin(futures_util::stream::iter(pieces)))
    }
}

#[tokio::test]
async fn a_source_that_is_not_the_blob_leaves_nothing_behind() {
    for size in [1000, 2 * MIB] {
        let (blob, bytes) = blob(size);
        let registry = FakeRegistry::start().await;
        let bad = Bad { bytes: noise(2, size), breaks: false };
        let error = push(&registry, &blob, &bad).await.unwrap_err();
        assert!(matches!(error, Error::Digest { .. }), "{error}");
        let bad = Bad { bytes: bytes[..size / 2].to_vec(), breaks: false };
        let error = push(&registry, &blob, &bad).await.unwrap_err();
        assert!(matches!(error, Error::Size { .. }), "{error}");
        let bad = Bad { bytes: bytes[..size / 2].to_vec(), breaks: true };
        let error = push(&registry, &blob, &bad).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        assert!(registry.state().blobs.is_empty());
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Retrying { .. } => "again".to_owned(),
            Event::Advanced { position, .. } => position.to_string(),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

#[tokio::test]
async fn progress_tells_of_a_new_try_and_ends_at_the_size() {
    let (blob, bytes) = blob(2 * MIB);
    let (_layout, folder) = source(&bytes);
    let registry = FakeRegistry::start().await;
    registry.fault(|fault| fault.cut_uploads = [MIB].into());
    let heard = Arc::new(Heard::default());
    let progress: Arc<dyn Progress> = heard.clone();
    repository(&client(), &registry, NAME)
        .push_blob(&blob, &folder, None, &progress)
        .await
        .unwrap();
    let heard = heard.0.lock().unwrap();
    assert_eq!(heard.iter().filter(|line| *line == "again").count(), 1);
    assert_eq!(heard.last().unwrap(), &(2 * MIB).to_string());
}
