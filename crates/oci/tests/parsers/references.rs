//! References: a tag or a digest, never both.

use proptest::prelude::*;
use wharf_oci::{Digest, Reference, ReferenceError, Tag};

use crate::generated::digest;

fn parse(text: &str) -> Result<Reference, ReferenceError> {
    text.parse()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_tag_is_a_reference(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
        prop_assert_eq!(parse(&text).unwrap(), Reference::Tag(text.parse().unwrap()));
        prop_assert_eq!(parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn a_digest_is_a_reference(digest in digest()) {
        prop_assert_eq!(parse(&digest.to_string()).unwrap(), Reference::Digest(digest));
        prop_assert_eq!(parse(&digest.to_string()).unwrap().to_string(), digest.to_string());
    }

    #[test]
    fn a_text_is_a_reference_where_it_is_a_tag_or_a_digest(
        text in prop_oneof![any::<String>(), "(sha256:)?[a-f0-9.:_-]{0,70}"],
    ) {
        let (tag, digest) = (text.parse::<Tag>(), text.parse::<Digest>());
        prop_assert!(tag.is_err() || digest.is_err(), "both: {}", text);
        prop_assert_eq!(parse(&text).is_ok(), tag.is_ok() || digest.is_ok());
    }
}

#[test]
fn a_bad_reference_is_told_as_what_it_was_meant_to_be() {
    assert!(matches!(parse("sha256:abc"), Err(ReferenceError::Digest(_))));
    assert!(matches!(parse("-latest"), Err(ReferenceError::Tag(_))));
    assert!(matches!(parse(""), Err(ReferenceError::Tag(_))));
}
