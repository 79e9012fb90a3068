//! The manifests themselves: images of six layers, and signatures, attestations and SBOMs of some of them.

use wharf_oci::{Algorithm, Digest, Hasher};

use crate::random::Random;
use crate::shape::Place;

/// The media type of all of them.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The type of an image, as lists of referrers would tell it: that of its configuration.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// What is said of an image, by the end of the tag under which it lies.
pub const REFERRERS: [(&str, &str); 3] = [
    ("sig", "application/vnd.dev.cosign.artifact.sig.v1+json"),
    ("att", "application/vnd.in-toto+json"),
    ("sbom", "application/spdx+json"),
];

/// Each is four layers, which are the lowest of many images in many repositories.
pub const BASES: u64 = 512;

/// How many manifests of a repository in a row stand on the same base.
pub const PUSHES_A_BASE: u64 = 30;

/// How many manifests of a repository in a row share the layer of their dependencies.
pub const PUSHES_A_DEPENDENCY: u64 = 3;

/// Which blob: its kind, and what else it depends on.
#[derive(Clone, Copy)]
enum Blob {
    Base { base: u64, layer: u64 },
    Dependencies(Place),
    Code(Place),
    Config(Place),
    Statement(Place),
}

/// A manifest.
pub struct Manifest {
    /// Its bytes.
    pub payload: String,
    /// Their digest.
    pub digest: Digest,
    /// The blobs it names, configuration first.
    pub blobs: Vec<Digest>,
    /// What kind of thing it is.
    pub artifact_type: &'static str,
    /// What it is about.
    pub subject: Option<Digest>,
    /// Its annotations, a JSON object.
    pub annotations: String,
}

/// The layers of the base that the image at `place` stands on.
pub fn base_layers(place: Place) -> [Digest; 4] {
    let first = Random::new(&[place.repository, 7]).next();
    let base = first.wrapping_add(place.number / PUSHES_A_BASE) % BASES;
    [0, 1, 2, 3].map(|layer| digest(Blob::Base { base, layer }))
}

/// The layer of the dependencies of the image at `place`.
pub fn dependencies(place: Place) -> Digest {
    let number = place.number / PUSHES_A_DEPENDENCY;
    digest(Blob::Dependencies(Place { number, ..place }))
}

/// The configuration that every referrer has.
pub fn empty_config() -> Digest {
    Hasher::digest(Algorithm::Sha256, b"{}")
}

/// The image at `place`, with `annotations`, a JSON object.
pub fn image(place: Place, annotations: &str) -> Manifest {
    let config = digest(Blob::Config(place));
    let [one, two, three, four] = base_layers(place);
    let blobs = vec![config, one, two, three, four, dependencies(place), digest(Blob::Code(place))];
    let descriptors: Vec<String> = blobs
        .iter()
        .enumerate()
        .map(|(index, blob)| descriptor(if index == 0 { CONFIG } else { LAYER }, blob, size(blob)))
        .collect();
    let more = match annotations {
        "{}" => String::new(),
        annotations => format!(",\"annotations\":{annotations}"),
    };
    let payload = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{},\"layers\":[{}]{more}}}",
        descriptors[0],
        descriptors[1..].join(","),
    );
    manifest(payload, blobs, CONFIG, None, annotations)
}

/// What is said of `subject` at `place`; `kind` is one of [`REFERRERS`].
pub fn referrer(place: Place, kind: usize, subject: &Manifest) -> Manifest {
    let (_, artifact_type) = REFERRERS[kind];
    let (config, statement) = (empty_config(), digest(Blob::Statement(place)));
    let annotations =
        format!("{{\"org.opencontainers.image.created\":\"{}\"}}", moment(place.number));
    let payload = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"artifactType\":\"{artifact_type}\",\
         \"config\":{},\"layers\":[{}],\"subject\":{},\"annotations\":{annotations}}}",
        descriptor(EMPTY, &config, 2),
        descriptor(artifact_type, &statement, size(&statement)),
        descriptor(MANIFEST, &subject.digest, subject.payload.len() as u64),
    );
    manifest(payload, vec![config, statement], artifact_type, Some(subject.digest), &annotations)
}

/// What is said in an image that was built in a pipeline.
pub fn annotations(place: Place) -> String {
    let mut random = Random::new(&[place.repository, place.number, 8]);
    format!(
        "{{\"org.opencontainers.image.created\":\"{}\",\
         \"org.opencontainers.image.revision\":\"{:016x}{:016x}{:08x}\",\
         \"org.opencontainers.image.source\":\"https://git.example.com/repository-{}\",\
         \"org.opencontainers.image.version\":\"1.{}.{}\"}}",
        moment(place.number),
        random.next(),
        random.next(),
        random.next() >> 32,
        place.repository,
        place.number / 100,
        place.number % 100,
    )
}

fn manifest(
    payload: String,
    blobs: Vec<Digest>,
    artifact_type: &'static str,
    subject: Option<Digest>,
    annotations: &str,
) -> Manifest {
    let digest = Hasher::digest(Algorithm::Sha256, payload.as_bytes());
    Manifest { payload, digest, blobs, artifact_type, subject, annotations: annotations.to_owned() }
}

fn descriptor(media_type: &str, digest: &Digest, size: u64) -> String {
    format!("{{\"mediaType\":\"{media_type}\",\"digest\":\"{digest}\",\"size\":{size}}}")
}

/// Nothing holds the blobs' bytes: a digest is as good as another.
fn digest(blob: Blob) -> Digest {
    let seeds = match blob {
        Blob::Base { base, layer } => [1, base, layer],
        Blob::Dependencies(place) => [2, place.repository, place.number],
        Blob::Code(place) => [3, place.repository, place.number],
        Blob::Config(place) => [4, place.repository, place.number],
        Blob::Statement(place) => [5, place.repository, place.number],
    };
    let mut random = Random::new(&seeds);
    let mut binary = vec![1];
    (0..4).for_each(|_| binary.extend_from_slice(&random.next().to_le_bytes()));
    // One byte for SHA-256 and 32 of hash are a digest's binary form.
    Digest::from_binary(&binary).unwrap_or_else(empty_config)
}

/// Some size in bytes, 16 MiB to 32, the same wherever the blob is named.
fn size(blob: &Digest) -> u64 {
    blob.hash().iter().take(3).fold(1, |size, byte| size << 8 | u64::from(*byte))
}

fn moment(number: u64) -> String {
    format!("2026-{:02}-{:02}T09:41:{:02}Z", 1 + number / 28 % 12, 1 + number % 28, number % 60)
}
