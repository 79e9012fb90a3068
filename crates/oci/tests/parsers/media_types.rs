//! Media types of manifests: in a header their case and parameters do not count.

use proptest::prelude::*;
use wharf_oci::MediaType;

proptest! {
    #[test]
    fn a_header_names_a_type_whatever_its_case_and_parameters(
        media_type in prop::sample::select(&MediaType::ALL[..]),
        shout in prop::collection::vec(any::<bool>(), 80),
        parameters in prop::sample::select(&["", ";", "; charset=utf-8", " ;q=1", ";a=b;c=d"][..]),
    ) {
        let text: String = media_type
            .as_str()
            .chars()
            .zip(shout)
            .map(|(character, loud)| if loud { character.to_ascii_uppercase() } else { character })
            .collect();
        prop_assert_eq!(MediaType::parse(&format!("{text}{parameters}")), Some(media_type));
    }

    #[test]
    fn any_other_text_names_none(text in any::<String>()) {
        prop_assert_eq!(MediaType::parse(&text), None);
        prop_assert!(!MediaType::is_schema_1(&text));
        for media_type in MediaType::ALL {
            prop_assert_eq!(MediaType::parse(&format!("{media_type}x{text}")), None);
            prop_assert_eq!(MediaType::parse(&format!("x{text}{media_type}")), None);
        }
    }
}

#[test]
fn schema_1_is_known_but_is_none_of_the_types_taken() {
    for text in [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "Application/vnd.docker.distribution.manifest.v1+JSON; charset=utf-8",
    ] {
        assert!(MediaType::is_schema_1(text), "{text}");
        assert_eq!(MediaType::parse(text), None, "{text}");
    }
}

#[test]
fn layers_that_nobody_may_distribute_are_told_from_the_others() {
    for text in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        assert!(MediaType::is_non_distributable(text), "{text}");
    }
    for text in [
        "",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.oci.image.config.v1+json",
    ] {
        assert!(!MediaType::is_non_distributable(text), "{text}");
    }
}
