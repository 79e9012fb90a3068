//! Keys of manifests that readers would disagree on: twice in one object, or a known key in disguise.

use proptest::prelude::*;
use proptest::sample::Index;
use wharf_oci::{Manifest, ManifestError, MediaType};

use crate::generated::{manifest, manifest_of};
use crate::oracle::manifest::{KEYS_OF_DESCRIPTORS, KEYS_OF_MANIFESTS};
use crate::written::Json;

/// `key` as another text that Go's reader takes for it: other case, the long s, the Kelvin sign.
fn disguised(key: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(0..3_u8, key.len())
        .prop_map(move |how| {
            key.chars()
                .zip(how)
                .map(|(character, how)| match (character.to_ascii_lowercase(), how) {
                    (_, 0) => character,
                    ('s', 2) => 'ſ',
                    ('k', 2) => '\u{212a}',
                    _ if character.is_ascii_lowercase() => character.to_ascii_uppercase(),
                    _ => character.to_ascii_lowercase(),
                })
                .collect::<String>()
        })
        .prop_filter("the key itself", move |text| text != key)
}

fn known_and_disguised(
    keys: &'static [&'static str],
) -> impl Strategy<Value = (&'static str, String)> {
    prop::sample::select(keys).prop_flat_map(|key| (Just(key), disguised(key)))
}

/// Puts a second member of the same key, with its value or another, into one object of the document.
fn repeat_a_key(json: &mut Json, object: Index, from: Index, to: Index, value: Option<Json>) {
    let at = object.index(json.count_objects());
    let members = json.object(at).expect("there are so many");
    let (key, old) = members[from.index(members.len())].clone();
    members.insert(to.index(members.len() + 1), (key, value.unwrap_or(old)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_key_that_stands_twice_in_any_object_is_refused(
        (_, mut json) in manifest(),
        object in any::<Index>(),
        from in any::<Index>(),
        to in any::<Index>(),
        is_the_same in any::<bool>(),
    ) {
        let value = (!is_the_same).then(|| Json::Raw("null".to_owned()));
        repeat_a_key(&mut json, object, from, to, value);
        let refused = matches!(Manifest::parse(&json.bytes(), None), Err(ManifestError::Json(_)));
        prop_assert!(refused);
    }

    #[test]
    fn a_key_of_a_manifest_in_disguise_is_refused(
        (_, mut json) in manifest(),
        (known, disguise) in known_and_disguised(&KEYS_OF_MANIFESTS),
        to in any::<Index>(),
        is_beside in any::<bool>(),
    ) {
        if !is_beside {
            json = json.without(known);
        }
        let members = json.members();
        let at = to.index(members.len() + 1);
        members.insert(at, (disguise.clone(), Json::Raw("null".to_owned())));
        match Manifest::parse(&json.bytes(), None) {
            Err(ManifestError::Disguised(found, meant)) => prop_assert_eq!((found, meant), (disguise, known)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_key_of_a_descriptor_in_disguise_is_refused(
        (_, mut json) in manifest_of(MediaType::ImageManifest),
        (known, disguise) in known_and_disguised(&KEYS_OF_DESCRIPTORS),
        to in any::<Index>(),
        value in prop::sample::select(&["null", "1", "\"\"", "{}"][..]),
    ) {
        let members = json.value("config").members();
        members.retain(|(key, _)| key != known || matches!(known, "mediaType" | "digest" | "size"));
        let at = to.index(members.len() + 1);
        members.insert(at, (disguise.clone(), Json::Raw(value.to_owned())));
        match Manifest::parse(&json.bytes(), None) {
            Err(ManifestError::Json(error)) => prop_assert!(error.to_string().contains(known), "{}", error),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn a_key_is_the_same_however_its_letters_are_escaped() {
    let text = r#"{"schemaVersion":2,"manifests":[],"manife\u0073ts":[]}"#;
    assert!(matches!(Manifest::parse(text.as_bytes(), None), Err(ManifestError::Json(_))));
    let text = r#"{"schemaVersion":2,"\u006danifests":[]}"#;
    assert!(Manifest::parse(text.as_bytes(), None).is_ok());
}

#[test]
fn keys_of_annotations_may_differ_in_case_alone() {
    let text = r#"{"schemaVersion":2,"manifests":[],"annotations":{"a":"","A":"","Digest":"","LAYERS":""}}"#;
    assert_eq!(Manifest::parse(text.as_bytes(), None).unwrap().annotations.len(), 4);
}

#[test]
fn a_longer_key_is_no_disguise() {
    let text =
        r#"{"schemaVersion":2,"manifests":[],"layersX":1,"_layers":1,"configs":1,"ßubject":1}"#;
    assert!(Manifest::parse(text.as_bytes(), None).is_ok());
}
