//! The `Content-Range` of an upload's chunk: the specification's form, and no more than two others.

use proptest::prelude::*;
use wharf_oci::{ContentRange, RangeError};

use crate::oracle::range::chunk;

fn parse(text: &str) -> Result<ContentRange, RangeError> {
    text.parse()
}

/// First and last byte, in order.
fn ends() -> impl Strategy<Value = (u64, u64)> {
    let number = || prop_oneof![0..1000_u64, (u64::MAX - 3)..=u64::MAX, any::<u64>()];
    (number(), number()).prop_map(|(one, other)| (one.min(other), one.max(other)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_range_is_written_as_it_was_read((first, last) in ends()) {
        let text = format!("{first}-{last}");
        let range = parse(&text).unwrap();
        prop_assert_eq!((range.first, range.last), (first, last));
        prop_assert_eq!(range.to_string(), text);
    }

    #[test]
    fn its_length_counts_both_ends((first, last) in ends()) {
        let length = u128::from(last) - u128::from(first) + 1;
        prop_assert_eq!(
            u128::from(ContentRange { first, last }.length()),
            length.min(u128::from(u64::MAX))
        );
    }

    #[test]
    fn the_form_of_http_is_forgiven(
        (first, last) in ends(),
        unit in prop::sample::select(&["", "bytes ", "bytes="][..]),
        more in 1..1000_u64,
    ) {
        let mut sizes = vec![String::new(), "/*".to_owned()];
        sizes.extend(last.checked_add(more).map(|size| format!("/{size}")));
        for size in sizes {
            let text = format!("{unit}{first}-{last}{size}");
            prop_assert_eq!(parse(&text), Ok(ContentRange { first, last }), "{}", text);
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused((first, last) in ends()) {
        prop_assume!(first < last);
        prop_assert_eq!(parse(&format!("{last}-{first}")), Err(RangeError::Form));
    }

    #[test]
    fn a_size_that_the_range_does_not_fit_in_is_refused((first, last) in ends(), size in any::<u64>()) {
        let size = size.min(last);
        prop_assert_eq!(parse(&format!("{first}-{last}/{size}")), Err(RangeError::Form));
    }

    #[test]
    fn a_text_names_the_chunk_that_the_grammar_says(
        text in prop_oneof![any::<String>(), "(bytes[ =]{0,2})?[0-9]{1,3}-[0-9]{1,4}[/*-]{0,2}[0-9+]{0,4}"],
    ) {
        let found = parse(&text).ok().map(|range| (range.first, range.last));
        prop_assert_eq!(found, chunk(&text), "{}", text);
    }
}

#[test]
fn malformed_texts_are_refused() {
    for text in [
        "",
        "-",
        "0",
        "0-",
        "-5",
        "a-b",
        "+0-5",
        "0-+5",
        "0 - 5",
        "0--5",
        "0-5-9",
        "0-18446744073709551616",
        "items 0-5",
        "*/5",
        "bytes */5",
    ] {
        assert_eq!(parse(text), Err(RangeError::Form), "{text:?}");
    }
}

#[test]
fn a_unit_without_its_separator_or_with_many_is_refused() {
    for text in ["bytes0-5", "bytes00-5", "bytes==0-5", "bytes= = 0-5", "bytesbytes 0-5"] {
        assert_eq!(parse(text), Err(RangeError::Form), "{text:?}");
    }
}

#[test]
fn a_size_that_is_none_is_refused() {
    for text in ["0-5/", "0-5/x", "0-5/6/7", "0-5/**", "0-5/-1", "0-5/+6"] {
        assert_eq!(parse(text), Err(RangeError::Form), "{text:?}");
    }
}
