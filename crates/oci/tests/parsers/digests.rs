//! Digests: their text, their binary form, their order.

use proptest::prelude::*;
use wharf_oci::{Algorithm, Digest, DigestError};

use crate::generated::digest;

fn parse(text: &str) -> Result<Digest, DigestError> {
    text.parse()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_digest_is_read_back_from_its_text(digest in digest()) {
        prop_assert_eq!(parse(&digest.to_string()), Ok(digest));
        prop_assert!(digest.to_string().len() <= Digest::MAX_TEXT);
        prop_assert_eq!(digest.to_string(), format!("{}:{}", digest.algorithm(), digest.hex()));
        prop_assert_eq!(format!("{digest:?}"), digest.to_string());
    }

    #[test]
    fn a_digest_is_read_back_from_its_binary_form(digest in digest()) {
        prop_assert_eq!(Digest::from_binary(&digest.to_binary()), Some(digest));
        prop_assert_eq!(Digest::from_hash(digest.algorithm(), digest.hash()), Some(digest));
    }

    #[test]
    fn a_digest_is_read_back_from_json(digest in digest()) {
        let json = serde_json::to_string(&digest).unwrap();
        prop_assert_eq!(&json, &format!("\"{digest}\""));
        prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn the_text_is_the_hash_in_hex_digits(digest in digest()) {
        let hex: String = digest.hash().iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(digest.hex(), hex);
    }

    #[test]
    fn digests_sort_as_their_binary_forms_do(left in digest(), right in digest()) {
        prop_assert_eq!(left.cmp(&right), left.to_binary().cmp(&right.to_binary()));
        prop_assert_eq!(left == right, left.to_binary() == right.to_binary());
    }

    #[test]
    fn a_digest_with_one_letter_in_upper_case_is_refused(
        digest in digest(),
        at in any::<prop::sample::Index>(),
    ) {
        let text = digest.to_string();
        let letters: Vec<usize> =
            (0..text.len()).filter(|at| text.as_bytes()[*at].is_ascii_lowercase()).collect();
        let at = letters[at.index(letters.len())];
        let mut shouted = text.clone();
        shouted.replace_range(at..=at, &text[at..=at].to_uppercase());
        prop_assert!(parse(&shouted).is_err(), "{shouted}");
    }

    #[test]
    fn a_digest_of_another_length_is_refused(
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        hex in "[0-9a-f]{0,140}",
    ) {
        prop_assume!(hex.len() != algorithm.length() * 2);
        prop_assert_eq!(
            parse(&format!("{algorithm}:{hex}")),
            Err(DigestError::Length { algorithm, expected: algorithm.length() * 2, found: hex.len() })
        );
    }

    #[test]
    fn a_binary_form_of_another_length_is_refused(binary in prop::collection::vec(any::<u8>(), 0..100)) {
        let digest = Digest::from_binary(&binary);
        let expected = match binary.first() {
            Some(1) => binary.len() == 33,
            Some(2) => binary.len() == 65,
            _ => false,
        };
        prop_assert_eq!(digest.is_some(), expected);
        if let Some(digest) = digest {
            prop_assert_eq!(digest.to_binary(), binary);
        }
    }

    #[test]
    fn a_digest_with_one_foreign_character_is_refused(
        digest in digest(),
        foreign in any::<char>().prop_filter("no hex digit", |c| !matches!(c, '0'..='9' | 'a'..='f')),
        at in any::<prop::sample::Index>(),
    ) {
        let hex = digest.hex();
        let at = at.index(hex.len());
        let text = format!("{}:{}{foreign}{}", digest.algorithm(), &hex[..at], &hex[at + 1..]);
        prop_assert!(parse(&text).is_err(), "{text}");
        // Filling the length in bytes with a character of several of them fools nobody.
        let end = (at + foreign.len_utf8()).min(hex.len());
        let text = format!("{}:{}{foreign}{}", digest.algorithm(), &hex[..at], &hex[end..]);
        prop_assert!(parse(&text).is_err(), "{text}");
    }

    #[test]
    fn any_text_that_is_taken_is_written_as_it_was(text in "(sha(256|512|384):)?[0-9a-fA-F:]{0,130}") {
        if let Ok(digest) = parse(&text) {
            prop_assert_eq!(digest.to_string(), text);
        }
    }
}

#[test]
fn an_unknown_algorithm_is_refused() {
    for name in [
        "",
        "md5",
        "sha1",
        "sha384",
        "SHA256",
        "Sha512",
        "sha256 ",
        " sha256",
        "sha256+b64u",
        "blake3",
    ] {
        let text = format!("{name}:{}", "0".repeat(64));
        assert_eq!(parse(&text), Err(DigestError::UnknownAlgorithm), "{text}");
        assert_eq!(name.parse::<Algorithm>(), Err(DigestError::UnknownAlgorithm), "{name}");
    }
}

#[test]
fn a_text_without_a_colon_is_no_digest() {
    assert_eq!(parse(""), Err(DigestError::NoAlgorithm));
    assert_eq!(parse(&"0".repeat(64)), Err(DigestError::NoAlgorithm));
    assert_eq!(parse("sha256"), Err(DigestError::NoAlgorithm));
}

#[test]
fn a_second_colon_is_refused() {
    let hex = "0".repeat(63);
    assert_eq!(parse(&format!("sha256::{hex}")), Err(DigestError::NotLowerHex));
    assert_eq!(parse(&format!("sha256:{hex}:")), Err(DigestError::NotLowerHex));
}

#[test]
fn the_samples_of_the_image_specification_are_taken() {
    let short = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";
    let long = "sha512:401b09eab3c013d4ca54922bb802bec8fd5318192b0a75f201d8b3727429080fb337591abd3e44453b954555b7a0812e1081c39b740293f765eae731f5a65ed1";
    for (text, algorithm) in [(short, Algorithm::Sha256), (long, Algorithm::Sha512)] {
        let digest = parse(text).unwrap();
        assert_eq!(digest.algorithm(), algorithm);
        assert_eq!(digest.to_string(), text);
    }
    assert!(parse(short).unwrap() < parse(long).unwrap());
}
