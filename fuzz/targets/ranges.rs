//! Any text as a `Range` and a `Content-Range`: what the grammar names, and the bytes that it covers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::oci::range::{chunk, covered, extent, named};
use wharf_oci::{ByteRange, ContentRange};

fuzz_target!(|text: &str| {
    // The grammar's expression is slow, and no number is longer.
    if text.len() > 256 {
        return;
    }
    let range = ByteRange::parse(text);
    assert_eq!(range, named(text));
    if let Some(range) = range {
        check(range);
    }

    let found = text.parse::<ContentRange>().ok();
    assert_eq!(found.map(|range| (range.first, range.last)), chunk(text));
    if let Some(range) = found {
        assert_eq!(range.to_string().parse(), Ok(range));
        let length = u128::from(range.last) - u128::from(range.first) + 1;
        assert_eq!(u128::from(range.length()), length.min(u128::from(u64::MAX)));
    }
});

fn check(range: ByteRange) {
    let (one, other) = match range {
        ByteRange::Between(first, last) => (first, last),
        ByteRange::From(number) | ByteRange::Suffix(number) => (number, number),
    };
    for size in [0, 1, 2, 63, one, other, u64::MAX]
        .into_iter()
        .flat_map(|size: u64| [size.saturating_sub(1), size, size.saturating_add(1)])
    {
        let part = range.within(size);
        let (first, length) = extent(range, size);
        let wanted = (length > 0).then_some((first, length));
        assert_eq!(part.clone().map(|p| (p.start.into(), (p.end - p.start).into())), wanted);
        if size <= 64 {
            assert_eq!(part.unwrap_or(0..0).collect::<Vec<_>>(), covered(range, size));
        }
    }
}
