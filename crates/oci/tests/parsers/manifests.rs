//! Manifests as they should be: read to what they say, under the one `Content-Type` that is theirs.

use proptest::prelude::*;
use wharf_oci::{Kind, Manifest, ManifestError, MediaType};

use crate::generated::manifest;
use crate::oracle::manifest::assert_agrees;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_manifest_says_what_was_written_into_it((wanted, json) in manifest()) {
        let found = Manifest::parse(&json.bytes(), None).unwrap();
        assert_agrees(&json.bytes(), &found);
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn a_manifest_is_taken_under_its_own_content_type_and_no_other((wanted, json) in manifest()) {
        let bytes = json.bytes();
        for media_type in MediaType::ALL {
            for content_type in [media_type.to_string(), format!("{media_type}; charset=utf-8")] {
                match Manifest::parse(&bytes, Some(&content_type)) {
                    Ok(found) => {
                        prop_assert_eq!(media_type, wanted.media_type);
                        prop_assert_eq!(&found, &wanted);
                    }
                    Err(ManifestError::ContentType { content_type, media_type: stated }) => {
                        prop_assert_ne!(media_type, wanted.media_type);
                        prop_assert_eq!((content_type, stated), (media_type, wanted.media_type));
                    }
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
        }
    }

    #[test]
    fn a_content_type_of_no_manifest_is_refused((_, json) in manifest(), content_type in any::<String>()) {
        let refused = matches!(
            Manifest::parse(&json.bytes(), Some(&content_type)),
            Err(ManifestError::UnknownContentType(_))
        );
        prop_assert!(refused);
    }

    #[test]
    fn a_manifest_names_blobs_or_manifests_in_their_order((manifest, json) in manifest()) {
        let found = Manifest::parse(&json.bytes(), None).unwrap();
        let blobs: Vec<_> = found.blobs().cloned().collect();
        match manifest.kind {
            Kind::Image { config, layers } => {
                prop_assert_eq!(&blobs[0], &*config);
                prop_assert_eq!(&blobs[1..], layers);
                prop_assert!(found.children().is_empty());
            }
            Kind::Index { manifests } => {
                prop_assert!(blobs.is_empty());
                prop_assert_eq!(found.children(), manifests);
            }
        }
    }

    #[test]
    fn a_referrer_is_of_its_artifact_type_else_of_its_configurations_type((manifest, json) in manifest()) {
        let found = Manifest::parse(&json.bytes(), None).unwrap();
        let wanted = match (&manifest.artifact_type, &manifest.kind) {
            (Some(artifact_type), _) => Some(artifact_type.as_str()),
            (None, Kind::Image { config, .. }) => Some(config.media_type.as_str()),
            (None, Kind::Index { .. }) => None,
        };
        prop_assert_eq!(found.referrer_type(), wanted);
    }

    #[test]
    fn a_descriptor_written_again_is_read_as_the_same((manifest, _) in manifest()) {
        for descriptor in manifest.blobs().chain(manifest.children()).chain(&manifest.subject) {
            let text = serde_json::to_string(descriptor).unwrap();
            prop_assert_eq!(&serde_json::from_str::<wharf_oci::Descriptor>(&text).unwrap(), descriptor);
        }
    }
}
