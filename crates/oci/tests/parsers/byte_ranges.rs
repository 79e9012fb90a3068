//! The `Range` header against a naive reading of RFC 9110, section 14.

use proptest::prelude::*;
use wharf_oci::ByteRange;

use crate::oracle::range::{covered, extent, named};

/// Numbers that lie close to what matters: nothing, a small size, the end of 64 bits.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..80_u64, (u64::MAX - 3)..=u64::MAX, any::<u64>()]
}

fn range() -> impl Strategy<Value = ByteRange> {
    prop_oneof![
        (number(), number())
            .prop_map(|(one, other)| ByteRange::Between(one.min(other), one.max(other))),
        number().prop_map(ByteRange::From),
        number().prop_map(ByteRange::Suffix),
    ]
}

fn written(range: ByteRange) -> String {
    match range {
        ByteRange::Between(first, last) => format!("bytes={first}-{last}"),
        ByteRange::From(first) => format!("bytes={first}-"),
        ByteRange::Suffix(length) => format!("bytes=-{length}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_range_is_read_back_from_its_header(range in range()) {
        prop_assert_eq!(ByteRange::parse(&written(range)), Some(range));
    }

    #[test]
    fn a_range_cuts_out_the_bytes_that_it_covers_one_by_one(
        range in range(),
        content in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let size = content.len() as u64;
        let wanted: Vec<u8> =
            covered(range, size).into_iter().map(|at| content[usize::try_from(at).unwrap()]).collect();
        let cut = range.within(size).map(|part| {
            &content[usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap()]
        });
        prop_assert_eq!(cut, (!wanted.is_empty()).then_some(&wanted[..]));
    }

    #[test]
    fn a_range_of_content_too_large_to_walk_is_as_long_as_arithmetic_says(range in range(), size in number()) {
        let (first, length) = extent(range, size);
        let part = range.within(size).map(|part| (u128::from(part.start), u128::from(part.end - part.start)));
        prop_assert_eq!(part, (length > 0).then_some((first, length)));
    }

    #[test]
    fn a_header_of_a_ranges_characters_names_what_the_grammar_says(
        header in "(bytes|Bytes|items|byte|bytes )?=?[ ]?[0-9]{0,3}-?[0-9]{0,3}[ ,-]?[0-9+]{0,2}",
    ) {
        prop_assert_eq!(ByteRange::parse(&header), named(&header), "{}", header);
    }

    #[test]
    fn any_header_names_what_the_grammar_says(header in any::<String>()) {
        prop_assert_eq!(ByteRange::parse(&header), named(&header));
        let header = format!("bytes={header}");
        prop_assert_eq!(ByteRange::parse(&header), named(&header));
    }

    #[test]
    fn several_ranges_are_ignored(left in range(), right in range()) {
        let header = format!("{},{}", written(left), &written(right)["bytes=".len()..]);
        prop_assert_eq!(ByteRange::parse(&header), None);
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_ignored(digits in "[1-9][0-9]{20,60}") {
        for header in [format!("bytes={digits}-"), format!("bytes=0-{digits}"), format!("bytes=-{digits}")] {
            prop_assert_eq!(ByteRange::parse(&header), None);
        }
    }
}

#[test]
fn the_ranges_of_the_rfcs_own_examples_cover_what_it_says() {
    // RFC 9110, section 14.1.2: content of 10000 bytes.
    for (header, part) in [
        ("bytes=0-499", 0..500),
        ("bytes=500-999", 500..1000),
        ("bytes=-500", 9500..10000),
        ("bytes=9500-", 9500..10000),
        ("bytes=0-0", 0..1),
        ("bytes=-20000", 0..10000),
        ("bytes=9999-20000", 9999..10000),
    ] {
        assert_eq!(ByteRange::parse(header).unwrap().within(10000), Some(part), "{header}");
    }
}

#[test]
fn a_range_past_the_end_and_a_suffix_of_nothing_cover_nothing() {
    for header in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
        assert_eq!(ByteRange::parse(header).unwrap().within(10), None, "{header}");
    }
    for header in ["bytes=0-", "bytes=0-0", "bytes=-5"] {
        assert_eq!(ByteRange::parse(header).unwrap().within(0), None, "{header}");
    }
}

#[test]
fn malformed_headers_are_ignored() {
    for header in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=--1",
        "bytes=1",
        "bytes=2-1",
        "bytes=a-b",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=-+1",
        "bytes=0x0-1",
        "bytes=0-1,",
        "bytes=,0-1",
        "bytes 0-1",
        "items=0-1",
        "bytes=0 - 1",
        "bytes=0-1-2",
        "bytes==0-1",
        "bytes=٠-١",
    ] {
        assert_eq!(ByteRange::parse(header), None, "{header}");
    }
}
