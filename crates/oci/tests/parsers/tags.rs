//! Names of tags against the specification's own regular expression.

use proptest::prelude::*;
use wharf_oci::{Tag, TagError};

use crate::oracle::regular_expression::{TAG, matches};

fn parse(text: &str) -> Result<Tag, TagError> {
    text.parse()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_text_of_a_tags_characters_is_a_tag_where_the_specification_says_so(
        text in "[aZ0._:/ -]{0,8}",
    ) {
        prop_assert_eq!(parse(&text).is_ok(), matches(TAG, &text), "{}", text);
    }

    #[test]
    fn any_text_is_a_tag_where_the_specification_says_so(text in any::<String>()) {
        prop_assert_eq!(parse(&text).is_ok(), matches(TAG, &text));
    }

    #[test]
    fn a_tag_of_any_length_is_taken_up_to_128_characters(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{100,160}") {
        prop_assert_eq!(parse(&text).is_ok(), text.len() <= 128);
        prop_assert_eq!(parse(&text).is_ok(), matches(TAG, &text));
    }

    #[test]
    fn a_tag_is_written_as_it_was_read(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
        let tag = parse(&text).unwrap();
        prop_assert_eq!(tag.as_str(), &text);
        prop_assert_eq!(tag.to_string(), text);
    }
}

#[test]
fn tags_that_begin_with_a_separator_or_hold_a_stranger_are_refused() {
    for text in ["", ".", "..", "-a", ".a", "a b", "a/b", "a:b", "a@b", "a\n", "é", "aé", "a\0"] {
        assert_eq!(parse(text), Err(TagError::Form), "{text:?}");
    }
}

#[test]
fn tags_of_real_images_are_taken() {
    for text in ["latest", "3.20", "_", "v1.2.3-rc.1", "A", "sha256-abc.sig", "1..2", "a--"] {
        assert!(parse(text).is_ok(), "{text}");
    }
}
