//! States of hashers: bytes that a database keeps, so they may come back damaged or from an older build.

use proptest::prelude::*;
use wharf_oci::{Algorithm, HashState, Hasher};

/// Bytes of a state's length, of either algorithm, that no hasher need have put down.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let state = |code: u8, length: usize| {
        prop::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], length).prop_map(
            move |mut bytes| {
                bytes[0] = code;
                bytes
            },
        )
    };
    prop_oneof![
        state(1, state_of(Algorithm::Sha256, b"").len()),
        state(2, state_of(Algorithm::Sha512, b"").len()),
        prop::collection::vec(any::<u8>(), 0..240),
    ]
}

fn state_of(algorithm: Algorithm, content: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(content);
    hasher.state().as_bytes().to_vec()
}

fn resume(bytes: &[u8]) -> Option<Hasher> {
    Hasher::resume(&HashState::from_bytes(bytes.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes_that_are_taken_up_are_put_down_again_as_they_were_and_hash_on(bytes in bytes()) {
        if let Some(mut hasher) = resume(&bytes) {
            let state = hasher.state();
            prop_assert_eq!(state.as_bytes(), &bytes);
            hasher.update(&[7; 1000]);
            prop_assert_eq!(hasher.algorithm(), hasher.finish().algorithm());
        }
    }

    #[test]
    fn a_state_cut_short_or_drawn_out_is_refused(
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        content in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
    ) {
        let mut state = state_of(algorithm, &content);
        prop_assert!(resume(&state[..at.index(state.len())]).is_none());
        state.push(0);
        prop_assert!(resume(&state).is_none());
    }

    #[test]
    fn a_state_of_no_known_algorithm_is_refused(code in 3..=255_u8, content in any::<Vec<u8>>()) {
        let mut state = state_of(Algorithm::Sha256, &content);
        state[0] = code;
        prop_assert!(resume(&state).is_none());
    }
}

#[test]
fn a_state_that_counts_more_content_than_can_be_is_refused() {
    for (algorithm, count) in [(Algorithm::Sha256, 33..41), (Algorithm::Sha512, 65..81)] {
        let state = state_of(algorithm, &[7; 1000]);
        assert_ne!(state[count.start], 0, "the count of blocks has moved");
        for at in [count.end - 1, count.end - 2] {
            let mut state = state.clone();
            state[at] = 1;
            assert!(resume(&state).is_none(), "{algorithm}, byte {at}");
        }
        let mut state = state;
        state[count].fill(0xff);
        assert!(resume(&state).is_none(), "{algorithm}");
    }
}

/// Uploads outlive a build: when this fails, a new version of `sha2` cannot read states that stand in databases.
#[test]
fn a_state_put_down_by_an_earlier_build_is_taken_up() {
    for (algorithm, state, digest) in [
        (
            Algorithm::Sha256,
            include_str!("states/sha256.hex"),
            "ac28c6fd0d593fe3c25094fc234398cc30af88586c6b53afb3f207bbba127229",
        ),
        (
            Algorithm::Sha512,
            include_str!("states/sha512.hex"),
            "91bdace25bcd28d3a3c6124deb5842bf15ebe5658abe27aadc35b2e71cd99bb6b5b1dc063a6d2dede6bce3cb4d10eb1767f3eeeaa3326afaf652a8742776b2f6",
        ),
    ] {
        let bytes: Vec<u8> = state
            .trim()
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(bytes, state_of(algorithm, &[b'x'; 150]));
        let mut hasher = resume(&bytes).unwrap();
        hasher.update(&[b'y'; 150]);
        assert_eq!(hasher.finish().hex(), digest);
    }
}
