//! Generated values: digests, descriptors and whole manifests, each with the JSON that says it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::{collection, option, sample};
use wharf_oci::{Algorithm, Descriptor, Digest, Hasher, Kind, Manifest, MediaType, Platform};

use crate::written::{Json, Member};

/// Any digest.
pub fn digest() -> impl Strategy<Value = Digest> {
    sample::select(&Algorithm::ALL[..]).prop_flat_map(|algorithm| {
        // Few values of the first byte, so that orders are decided further on, too.
        (0..3_u8, collection::vec(any::<u8>(), algorithm.length() - 1)).prop_map(
            move |(first, rest)| {
                Digest::from_hash(algorithm, &[&[first], &rest[..]].concat()).expect("its length")
            },
        )
    })
}

/// A descriptor and the JSON that says it, with fields that nobody knows in between.
pub fn descriptor() -> BoxedStrategy<(Descriptor, Json)> {
    let content = prop_oneof![
        3 => (digest(), 0..=i64::MAX as u64).prop_map(|(digest, size)| (digest, size, None)),
        1 => (sample::select(&Algorithm::ALL[..]), any::<Vec<u8>>()).prop_map(|(algorithm, bytes)| {
            (Hasher::digest(algorithm, &bytes), bytes.len() as u64, Some(STANDARD.encode(bytes)))
        }),
    ];
    let platform = ("[a-z0-9]{1,6}", "[a-z]{1,6}", option::of("v[0-9]"))
        .prop_map(|(architecture, os, variant)| Platform { architecture, os, variant });
    let known = (
        text(),
        content,
        option::of(text()),
        option::of(annotations()),
        option::of(collection::vec(text(), 0..3)),
        option::of(platform),
    )
        .prop_map(
            |(media_type, (digest, size, data), artifact_type, annotations, urls, platform)| {
                Descriptor {
                    media_type,
                    digest,
                    size,
                    artifact_type,
                    annotations,
                    urls,
                    data,
                    platform,
                }
            },
        );
    (known, unknown_members())
        .prop_flat_map(|(descriptor, unknown)| {
            let mut members = vec![
                member("mediaType", string(&descriptor.media_type)),
                member("digest", string(&descriptor.digest.to_string())),
                member("size", Json::Raw(descriptor.size.to_string())),
            ];
            let optional = [
                ("artifactType", descriptor.artifact_type.as_deref().map(string)),
                ("annotations", descriptor.annotations.as_ref().map(annotations_json)),
                (
                    "urls",
                    descriptor
                        .urls
                        .as_ref()
                        .map(|urls| Json::Array(urls.iter().map(|url| string(url)).collect())),
                ),
                ("data", descriptor.data.as_deref().map(string)),
                ("platform", descriptor.platform.as_ref().map(platform_json)),
            ];
            members
                .extend(optional.into_iter().filter_map(|(key, value)| Some(member(key, value?))));
            members.extend(unknown);
            (Just(descriptor), Just(members).prop_shuffle().prop_map(Json::Object))
        })
        .boxed()
}

/// A manifest of any of the four kinds and the JSON that says it, keys in any order, with fields that nobody knows.
pub fn manifest() -> BoxedStrategy<(Manifest, Json)> {
    prop_oneof![
        manifest_of(MediaType::ImageManifest),
        manifest_of(MediaType::ImageIndex),
        manifest_of(MediaType::DockerManifest),
        manifest_of(MediaType::DockerManifestList)
    ]
    .boxed()
}

/// A manifest of one kind, as [`manifest`].
pub fn manifest_of(media_type: MediaType) -> BoxedStrategy<(Manifest, Json)> {
    let kind = if media_type.is_index() {
        collection::vec(descriptor(), 0..4)
            .prop_map(|children| {
                let (manifests, json) = children.into_iter().unzip();
                (Kind::Index { manifests }, vec![member("manifests", Json::Array(json))])
            })
            .boxed()
    } else {
        (descriptor(), collection::vec(descriptor(), 0..4))
            .prop_map(|((config, config_json), layers)| {
                let (layers, json) = layers.into_iter().unzip();
                let members =
                    vec![member("config", config_json), member("layers", Json::Array(json))];
                (Kind::Image { config: Box::new(config), layers }, members)
            })
            .boxed()
    };
    let is_docker = matches!(media_type, MediaType::DockerManifest | MediaType::DockerManifestList);
    (
        kind,
        // An OCI manifest need not state its type; a Docker manifest must.
        any::<bool>().prop_map(move |stated| stated || is_docker),
        option::of(text()),
        option::of(descriptor()),
        option::of(annotations()),
        unknown_members(),
    )
        .prop_flat_map(
            move |((kind, mut members), stated, artifact_type, subject, annotations, unknown)| {
                let (subject, subject_json) = subject.unzip();
                members.push(member("schemaVersion", Json::Raw("2".to_owned())));
                let optional = [
                    ("mediaType", stated.then(|| string(media_type.as_str()))),
                    ("artifactType", artifact_type.as_deref().map(string)),
                    ("subject", subject_json),
                    ("annotations", annotations.as_ref().map(annotations_json)),
                ];
                members.extend(
                    optional.into_iter().filter_map(|(key, value)| Some(member(key, value?))),
                );
                members.extend(unknown);
                let manifest = Manifest {
                    media_type,
                    states_media_type: stated,
                    kind,
                    artifact_type: artifact_type.filter(|text| !text.is_empty()),
                    subject,
                    annotations: annotations.unwrap_or_default(),
                };
                (Just(manifest), Just(members).prop_shuffle().prop_map(Json::Object))
            },
        )
        .boxed()
}

/// A short text: what a media type looks like, or anything, or nothing.
fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{1,8}/[a-z.+]{1,8}", "\\PC{0,5}", any::<String>()].boxed()
}

fn annotations() -> BoxedStrategy<BTreeMap<String, String>> {
    // Keys that differ in case alone, and keys of descriptors, are annotations like any other.
    let key = prop_oneof![
        "[a-z]{1,4}\\.[a-z]{1,4}",
        "[aA]",
        sample::select(&["digest", "Digest", "layers", "LAYERS"][..]).prop_map(str::to_owned),
        text(),
    ];
    collection::btree_map(key, text(), 0..4).boxed()
}

/// Any JSON value of a few levels.
fn any_json() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        sample::select(
            &[
                "null",
                "true",
                "false",
                "0",
                "-1",
                "2.5e3",
                "18446744073709551615",
                "1E-9",
                "{}",
                "[]"
            ][..]
        )
        .prop_map(|raw| Json::Raw(raw.to_owned())),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            collection::btree_map(text(), inner, 0..3)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Members with keys that mean nothing.
fn unknown_members() -> BoxedStrategy<Vec<Member>> {
    let key = prop_oneof![
        "x[a-z]{0,3}",
        "\\PC{0,3}".prop_map(|rest| format!("x-{rest}")),
        Just("os.features".to_owned())
    ];
    collection::btree_map(key, any_json(), 0..3)
        .prop_map(|members| members.into_iter().collect())
        .boxed()
}

fn annotations_json(annotations: &BTreeMap<String, String>) -> Json {
    Json::Object(annotations.iter().map(|(key, value)| member(key, string(value))).collect())
}

fn platform_json(platform: &Platform) -> Json {
    let mut members = vec![
        member("os", string(&platform.os)),
        member("architecture", string(&platform.architecture)),
    ];
    members.extend(platform.variant.as_ref().map(|variant| member("variant", string(variant))));
    Json::Object(members)
}

fn member(key: &str, value: Json) -> Member {
    (key.to_owned(), value)
}

fn string(text: &str) -> Json {
    Json::Text(text.to_owned())
}
