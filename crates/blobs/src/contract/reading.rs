//! Rules of reading: whole objects, ranges, streams that are not read to their end.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, ObjectKey, ReadError};
use wharf_oci::ByteRange::{self, Between, From, Suffix};

use super::stand::{content, deleted, gathered, key_of, pushed, read, same};
use crate::{Fault, FaultyBlobs, Method};

/// More than a few pieces, and no multiple of anything.
const LARGE: usize = (8 << 20) + 12_345;

async fn expect(blobs: &dyn Blobs, key: &ObjectKey, range: ByteRange, all: &Bytes, part: &[u8]) {
    let content = blobs.read(key, Some(range)).await.expect("the range is satisfiable");
    assert_eq!(content.size, all.len() as u64);
    let expected = part.as_ptr() as u64 - all.as_ptr() as u64;
    assert_eq!(content.range, expected..expected + part.len() as u64);
    same(&gathered(content.stream).await.expect("the range is read"), part);
}

/// The bytes that went in come out.
pub async fn what_was_pushed_is_read<B: Blobs>(blobs: &FaultyBlobs<B>) {
    for length in [1, 100, 4096, 65_535, 65_536, 65_537, 1 << 20] {
        let bytes = content(length, 1);
        let key = pushed(blobs, &bytes).await;
        same(&read(blobs, &key).await, &bytes);
    }
}

/// No bytes are not nothing.
pub async fn an_object_of_no_bytes_is_an_object<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let key = pushed(blobs, &Bytes::new()).await;
    assert_eq!(blobs.head(&key).await.unwrap(), Some(0));
    assert!(read(blobs, &key).await.is_empty());
}

/// Megabytes, in pieces that have a limit.
pub async fn a_large_object_is_read_whole<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(LARGE, 1);
    let key = pushed(blobs, &bytes).await;
    same(&read(blobs, &key).await, &bytes);
}

/// Neither by a look nor by a read.
pub async fn what_is_not_there_is_not_found<B: Blobs>(blobs: &FaultyBlobs<B>) {
    pushed(blobs, &content(10, 1)).await;
    let key = key_of(b"something else");
    assert_eq!(blobs.head(&key).await.unwrap(), None);
    assert!(matches!(blobs.read(&key, None).await, Err(ReadError::NotFound)));
    assert!(matches!(blobs.read(&key, Some(From(0))).await, Err(ReadError::NotFound)));
}

/// Without reading.
pub async fn the_head_tells_the_size<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let key = pushed(blobs, &content(70_000, 1)).await;
    assert_eq!(blobs.head(&key).await.unwrap(), Some(70_000));
}

/// Both ends belong to it; one past the object's end is cut.
pub async fn a_range_between_two_bytes<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(1000, 1);
    let key = pushed(blobs, &all).await;
    expect(blobs, &key, Between(0, 0), &all, &all[..1]).await;
    expect(blobs, &key, Between(10, 19), &all, &all[10..20]).await;
    expect(blobs, &key, Between(999, 999), &all, &all[999..]).await;
    expect(blobs, &key, Between(990, u64::MAX), &all, &all[990..]).await;
}

/// `bytes=0-` is everything.
pub async fn a_range_to_the_end<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(1000, 1);
    let key = pushed(blobs, &all).await;
    expect(blobs, &key, From(0), &all, &all).await;
    expect(blobs, &key, From(1), &all, &all[1..]).await;
    expect(blobs, &key, From(999), &all, &all[999..]).await;
}

/// More than there are is everything.
pub async fn a_range_of_the_last_bytes<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(1000, 1);
    let key = pushed(blobs, &all).await;
    expect(blobs, &key, Suffix(1), &all, &all[999..]).await;
    expect(blobs, &key, Suffix(1000), &all, &all).await;
    expect(blobs, &key, Suffix(u64::MAX), &all, &all).await;
}

/// Ranges begin and end anywhere, whatever the store's own pieces are.
pub async fn ranges_across_pieces<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(LARGE, 1);
    let key = pushed(blobs, &all).await;
    let edge = 64 << 10;
    for first in [edge - 1, edge, edge + 1, 4095, 1 << 20, (5 << 20) + 77] {
        for last in [first, first + 1, first + 4096, first + edge, first + (2 << 20)] {
            let part = &all[first..=last];
            expect(blobs, &key, Between(first as u64, last as u64), &all, part).await;
        }
    }
    expect(blobs, &key, From((5 << 20) + 1), &all, &all[(5 << 20) + 1..]).await;
    expect(blobs, &key, Suffix(3_000_001), &all, &all[LARGE - 3_000_001..]).await;
}

/// And the reply says how long the object is.
pub async fn a_range_past_the_end_is_unsatisfiable<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let key = pushed(blobs, &content(1000, 1)).await;
    for range in [From(1000), Between(1000, 2000), From(u64::MAX), Suffix(0)] {
        let found = blobs.read(&key, Some(range)).await.map(|content| content.range);
        assert!(
            matches!(found, Err(ReadError::Unsatisfiable { size: 1000 })),
            "{range:?}: {found:?}"
        );
    }
}

/// An object without bytes has none in any range.
pub async fn no_range_of_no_bytes_is_satisfiable<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let key = pushed(blobs, &Bytes::new()).await;
    for range in [From(0), Between(0, 0), Suffix(1)] {
        let found = blobs.read(&key, Some(range)).await;
        assert!(matches!(found, Err(ReadError::Unsatisfiable { size: 0 })), "{range:?}");
    }
}

/// Clients close early all the time: after nothing, after a piece, after a few.
pub async fn a_stream_dropped_early_harms_nothing<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(LARGE, 1);
    let key = pushed(blobs, &all).await;
    for pieces in [0, 1, 2, 5] {
        let mut stream = blobs.read(&key, None).await.unwrap().stream;
        let mut position = 0;
        for _ in 0..pieces {
            let piece = stream.next().await.unwrap().unwrap();
            same(&piece, &all[position..position + piece.len()]);
            position += piece.len();
        }
        drop(stream);
    }
    // Pieces outlive their stream.
    let mut stream = blobs.read(&key, None).await.unwrap().stream;
    let (first, second) = (stream.next().await.unwrap(), stream.next().await.unwrap());
    drop(stream);
    let (first, second) = (first.unwrap(), second.unwrap());
    same(&[first.clone(), second.clone()].concat(), &all[..first.len() + second.len()]);
    same(&read(blobs, &key).await, &all);
}

/// Who is told to go on reading gets the object's bytes or a fault, never others.
pub async fn an_object_is_read_to_its_end_while_it_is_deleted<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(LARGE, 1);
    let key = pushed(blobs, &all).await;
    let mut stream = blobs.read(&key, None).await.unwrap().stream;
    let first = stream.next().await.unwrap().unwrap();
    deleted(blobs, &key).await;
    match gathered(stream).await {
        Ok(rest) => same(&[first, rest].concat(), &all),
        Err(fault) => assert!(matches!(fault, StoreError::Unavailable(_)), "{fault}"),
    }
}

/// Readers do not disturb one another.
pub async fn many_read_at_once<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(LARGE, 1);
    let key = pushed(blobs, &all).await;
    let reads = (0..8).map(|number: usize| {
        let (all, key) = (&all, &key);
        let first = number * 1_000_003;
        async move { expect(blobs, key, From(first as u64), all, &all[first..]).await }
    });
    join_all(reads).await;
}

/// A stream that breaks ends in its fault, after bytes that are right.
pub async fn a_read_that_breaks_says_so<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(LARGE, 1);
    let key = pushed(blobs, &all).await;
    let broken = StoreError::Unavailable("the wire was cut".into());
    blobs.script(Method::Read, 1, Fault::BreakAfter(100_000, broken));
    let mut stream = blobs.read(&key, None).await.unwrap().stream;
    let mut position = 0;
    let fault = loop {
        match stream.next().await.expect("a broken stream does not just end") {
            Ok(piece) => {
                same(&piece, &all[position..position + piece.len()]);
                position += piece.len();
            }
            Err(fault) => break fault,
        }
    };
    assert_eq!((position, fault.to_string().as_str()), (100_000, "unavailable: the wire was cut"));
    same(&read(blobs, &key).await, &all);
}
