//! Content embedded in a descriptor must be the content that the descriptor names.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use proptest::prelude::*;
use wharf_oci::{Algorithm, Digest, Hasher, Manifest, ManifestError};

/// Where a descriptor may stand.
#[derive(Clone, Copy, Debug)]
enum Place {
    Config,
    Layer,
    Child,
    SubjectOfImage,
    SubjectOfIndex,
}

const PLACES: [Place; 5] =
    [Place::Config, Place::Layer, Place::Child, Place::SubjectOfImage, Place::SubjectOfIndex];

fn parse(place: Place, digest: Digest, size: u64, data: &str) -> Result<Manifest, ManifestError> {
    let plain = format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":{size}}}"#);
    let data = serde_json::to_string(data).unwrap();
    let full = format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":{size},"data":{data}}}"#);
    let members = match place {
        Place::Config => format!(r#""config":{full},"layers":[{plain}]"#),
        Place::Layer => format!(r#""config":{plain},"layers":[{plain},{full}]"#),
        Place::Child => format!(r#""manifests":[{plain},{full}]"#),
        Place::SubjectOfImage => format!(r#""config":{plain},"layers":[],"subject":{full}"#),
        Place::SubjectOfIndex => format!(r#""manifests":[],"subject":{full}"#),
    };
    Manifest::parse(format!(r#"{{"schemaVersion":2,{members}}}"#).as_bytes(), None)
}

fn is_refused(result: &Result<Manifest, ManifestError>) -> bool {
    matches!(result, Err(ManifestError::Data(_)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_content_itself_is_taken_and_nothing_else(
        place in prop::sample::select(&PLACES[..]),
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        content in any::<Vec<u8>>(),
        other in any::<Vec<u8>>(),
        size in any::<u32>(),
    ) {
        prop_assume!(content != other && u64::from(size) != content.len() as u64);
        let (digest, length) = (Hasher::digest(algorithm, &content), content.len() as u64);
        let data = STANDARD.encode(&content);
        prop_assert!(parse(place, digest, length, &data).is_ok());
        prop_assert!(is_refused(&parse(place, digest, u64::from(size), &data)));
        prop_assert!(is_refused(&parse(place, digest, length, &STANDARD.encode(&other))));
        prop_assert!(is_refused(&parse(place, Hasher::digest(algorithm, &other), length, &data)));
    }

    #[test]
    fn base_64_of_another_kind_is_refused(place in prop::sample::select(&PLACES[..]), content in any::<Vec<u8>>()) {
        let (digest, length) = (Hasher::digest(Algorithm::Sha256, &content), content.len() as u64);
        let data = STANDARD.encode(&content);
        for other in [STANDARD_NO_PAD.encode(&content), URL_SAFE.encode(&content), format!("{data}\n"), format!(" {data}"), format!("{data}=")] {
            prop_assert_eq!(is_refused(&parse(place, digest, length, &other)), other != data, "{}", other);
        }
    }
}

#[test]
fn the_empty_content_of_the_image_specification_is_taken() {
    let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let manifest = parse(Place::Config, digest.parse().unwrap(), 2, "e30=").unwrap();
    assert_eq!(manifest.blobs().next().unwrap().data.as_deref(), Some("e30="));
}
