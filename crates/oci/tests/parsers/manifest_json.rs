//! Manifests that are no good JSON: cut, changed, not UTF-8, nested too deeply, with numbers too large.

use proptest::prelude::*;
use proptest::sample::Index;
use wharf_oci::{Digest, MAX_DEPTH, Manifest, ManifestError, MediaType};

use crate::generated::{manifest, manifest_of};
use crate::oracle::manifest::assert_agrees;
use crate::written::Json;

/// One change to bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Swap(Index, Index),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\":,\\0129-. eEntf"[..])];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn apply(change: Change, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    match change {
        Change::Set(at, byte) => bytes[at.index(length)] = byte,
        Change::Insert(at, byte) => bytes.insert(at.index(length + 1), byte),
        Change::Remove(at) if length > 1 => drop(bytes.remove(at.index(length))),
        Change::Remove(_) => {}
        Change::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
        Change::Repeat(from, to) => {
            let (from, to) = (from.index(length), to.index(length));
            let piece = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.splice(from..from, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn changed_bytes_are_refused_or_read_as_they_then_stand(
        (_, json) in manifest(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let mut bytes = json.bytes();
        for change in changes {
            apply(change, &mut bytes);
        }
        if let Ok(manifest) = Manifest::parse(&bytes, None) {
            assert_agrees(&bytes, &manifest);
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(Manifest::parse(&bytes, None).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_manifest_cut_short_is_refused((_, json) in manifest(), at in any::<Index>()) {
        let bytes = json.bytes();
        let refused = matches!(Manifest::parse(&bytes[..at.index(bytes.len())], None), Err(ManifestError::Json(_)));
        prop_assert!(refused);
    }

    #[test]
    fn a_manifest_with_more_behind_it_is_refused((_, json) in manifest(), more in "[^ \t\r\n]{1,4}|\\{\\}|\u{feff}") {
        let mut bytes = json.bytes();
        bytes.extend_from_slice(b"\n ");
        prop_assert!(Manifest::parse(&bytes, None).is_ok(), "white space is no content");
        bytes.extend_from_slice(more.as_bytes());
        let refused = matches!(Manifest::parse(&bytes, None), Err(ManifestError::Json(_)));
        prop_assert!(refused);
    }

    #[test]
    fn a_manifest_that_is_not_utf_8_is_refused((_, json) in manifest(), at in any::<Index>(), byte in 0x80..=0xff_u8) {
        let mut bytes = json.bytes();
        bytes.insert(at.index(bytes.len() + 1), byte);
        prop_assume!(str::from_utf8(&bytes).is_err());
        let refused = matches!(Manifest::parse(&bytes, None), Err(ManifestError::Json(_)));
        prop_assert!(refused);
    }

    #[test]
    fn a_manifest_is_nested_so_deeply_and_no_deeper(
        (wanted, json) in manifest(),
        in_arrays in prop::collection::vec(any::<bool>(), 1..80),
    ) {
        // The outermost object is a level, too.
        let levels = in_arrays.len() + 1;
        let nested = in_arrays.into_iter().fold(Json::Raw("7".to_owned()), |inner, in_array| {
            if in_array { Json::Array(vec![inner]) } else { Json::Object(vec![("n".to_owned(), inner)]) }
        });
        let found = Manifest::parse(&json.with("x-nested", nested).bytes(), None);
        prop_assert_eq!(found.is_ok(), levels <= MAX_DEPTH, "{} levels", levels);
        if let Ok(found) = found {
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_size_that_is_no_count_of_63_bits_is_refused(
        (_, mut json) in manifest_of(MediaType::ImageManifest),
        size in prop_oneof![
            (1..=u64::MAX / 2).prop_map(|more| (i64::MAX as u64 + more).to_string()),
            "[1-9][0-9]{19,40}",
            "-[1-9][0-9]{0,20}",
            "[0-9]\\.[0-9]",
            "[1-9][eE][0-9]",
            Just("1e999".to_owned()),
            Just("-0".to_owned()),
            Just("\"5\"".to_owned()),
            Just("null".to_owned()),
        ],
    ) {
        *json.value("config").value("size") = Json::Raw(size.clone());
        let refused = matches!(Manifest::parse(&json.without("data").bytes(), None), Err(ManifestError::Json(_)));
        prop_assert!(refused, "{}", size);
    }

    #[test]
    fn a_number_too_large_for_any_reader_is_refused_anywhere((_, json) in manifest(), digits in "[1-9]e[4-9][0-9]{2,9}") {
        let refused = matches!(
            Manifest::parse(&json.with("x-number", Json::Raw(digits)).bytes(), None),
            Err(ManifestError::Json(_))
        );
        prop_assert!(refused);
    }
}

#[test]
fn a_million_levels_are_refused_and_not_walked() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"x\":{}1{}}}", open.repeat(1_000_000), close.repeat(1_000_000));
        assert!(matches!(Manifest::parse(deep.as_bytes(), None), Err(ManifestError::Json(_))));
    }
}

#[test]
fn a_document_that_is_no_object_is_refused() {
    for text in
        ["", " ", "null", "true", "2", "\"\"", "[]", "[2]", "[{}]", "\u{feff}{}", "{", "{]", "nul"]
    {
        assert!(
            matches!(Manifest::parse(text.as_bytes(), None), Err(ManifestError::Json(_))),
            "{text}"
        );
    }
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for text in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, r#"{"a":"\ud800\u0041"}"#] {
        assert!(
            matches!(Manifest::parse(text.as_bytes(), None), Err(ManifestError::Json(_))),
            "{text}"
        );
    }
}

/// What derived readers of structures take beside objects; no other reader of manifests does.
#[test]
fn an_array_in_the_place_of_an_object_is_refused() {
    let digest: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let object = format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":2}}"#);
    let array = format!(r#"["a/b","{digest}",2]"#);
    let platform = |platform: &str| {
        format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":2,"platform":{platform}}}"#)
    };
    let image = |config: &str, layer: &str| {
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#)
    };
    let is_taken = |text: String| Manifest::parse(text.as_bytes(), None).is_ok();
    assert!(is_taken(image(&object, &object)));
    assert!(is_taken(image(&object, &platform(r#"{"architecture":"arm64","os":"linux"}"#))));
    assert!(!is_taken(image(&array, &object)));
    assert!(!is_taken(image(&object, &array)));
    assert!(!is_taken(image(&object, &platform(r#"["arm64","linux"]"#))));
}
