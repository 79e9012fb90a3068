//! Manifests that contradict themselves, or are of a kind that nobody should push any more.

use proptest::prelude::*;
use wharf_oci::{Manifest, ManifestError, MediaType};

use crate::generated::{manifest, manifest_of};
use crate::written::Json;

const VALUES: [&str; 6] = ["null", "[]", "{}", "[{}]", "false", "\"\""];

fn image() -> impl Strategy<Value = Json> {
    prop_oneof![manifest_of(MediaType::ImageManifest), manifest_of(MediaType::DockerManifest)]
        .prop_map(|(_, json)| json)
}

fn index() -> impl Strategy<Value = Json> {
    prop_oneof![manifest_of(MediaType::ImageIndex), manifest_of(MediaType::DockerManifestList)]
        .prop_map(|(_, json)| json)
}

fn raw(text: &str) -> Json {
    Json::Raw(text.to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_image_that_names_manifests_is_refused_whatever_it_names(json in image(), value in prop::sample::select(&VALUES[..])) {
        let refused = matches!(
            Manifest::parse(&json.with("manifests", raw(value)).bytes(), None),
            Err(ManifestError::ImageAndIndex("layers"))
        );
        prop_assert!(refused);
    }

    #[test]
    fn an_index_that_has_layers_or_a_configuration_is_refused_whatever_they_are(
        json in index(),
        key in prop::sample::select(&["layers", "config"][..]),
        value in prop::sample::select(&VALUES[..]),
    ) {
        match Manifest::parse(&json.with(key, raw(value)).bytes(), None) {
            Err(ManifestError::ImageAndIndex(found)) => prop_assert_eq!(found, key),
            Err(ManifestError::Json(_)) => prop_assert_eq!((key, &value[..1]), ("config", "[")),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn an_image_without_layers_or_configuration_is_refused(
        json in image(),
        key in prop::sample::select(&["layers", "config"][..]),
        is_null in any::<bool>(),
    ) {
        let json = if is_null { json.with(key, raw("null")) } else { json.without(key) };
        match Manifest::parse(&json.bytes(), None) {
            Err(ManifestError::Missing(found, _)) => prop_assert_eq!(found, key),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn an_image_under_the_type_of_an_index_is_refused_and_the_other_way_round(
        image in image(),
        index in index(),
        at in 0..4_usize,
    ) {
        let media_type = MediaType::ALL[at];
        let json = if media_type.is_index() { image } else { index };
        let bytes = json.with("mediaType", Json::Text(media_type.to_string())).bytes();
        for content_type in [None, Some(media_type.as_str())] {
            let refused = matches!(Manifest::parse(&bytes, content_type), Err(ManifestError::Missing(..)));
            prop_assert!(refused);
        }
    }

    #[test]
    fn a_manifest_of_an_unknown_type_is_refused(
        (_, json) in manifest(),
        text in prop_oneof![
            any::<String>(),
            // In a document neither case nor parameters are forgiven.
            Just("application/vnd.oci.image.manifest.v1+JSON".to_owned()),
            Just("application/vnd.oci.image.manifest.v1+json; charset=utf-8".to_owned()),
            Just("application/vnd.oci.artifact.manifest.v1+json".to_owned()),
            Just("application/vnd.oci.image.config.v1+json".to_owned()),
        ],
    ) {
        match Manifest::parse(&json.with("mediaType", Json::Text(text.clone())).bytes(), None) {
            Err(ManifestError::UnknownMediaType(found)) => prop_assert_eq!(found, text),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_manifest_of_no_schema_version_or_another_is_refused(
        (_, json) in manifest(),
        version in prop::option::of(prop_oneof![Just(0), 3..=u64::MAX]),
    ) {
        let json = match version {
            Some(version) => json.with("schemaVersion", raw(&version.to_string())),
            None => json.without("schemaVersion"),
        };
        let refused = matches!(Manifest::parse(&json.bytes(), None), Err(ManifestError::SchemaVersion));
        prop_assert!(refused);
    }

    #[test]
    fn a_schema_version_that_is_no_whole_number_is_refused(
        (_, json) in manifest(),
        version in prop::sample::select(&["2.0", "2e0", "\"2\"", "[2]", "-2", "18446744073709551618", "true"][..]),
    ) {
        let refused = matches!(
            Manifest::parse(&json.with("schemaVersion", raw(version)).bytes(), None),
            Err(ManifestError::Json(_))
        );
        prop_assert!(refused);
    }

    #[test]
    fn schema_1_is_refused_by_any_of_its_marks((_, json) in manifest(), mark in 0..4_usize) {
        const SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        let (json, content_type) = match mark {
            0 => (json.with("schemaVersion", raw("1")), None),
            1 => (json.with("fsLayers", raw("[]")), None),
            2 => (json.with("mediaType", Json::Text(SIGNED.to_owned())), None),
            _ => (json, Some(SIGNED)),
        };
        let refused = matches!(Manifest::parse(&json.bytes(), content_type), Err(ManifestError::Schema1));
        prop_assert!(refused);
    }
}
