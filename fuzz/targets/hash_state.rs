//! Any content put down at any two points has the digest of the whole; any bytes as a state panic nowhere.
//!
//! The first four bytes are the algorithm and where to cut; all of them are also taken for a state.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_oci::{Algorithm, HashState, Hasher};

fuzz_target!(|bytes: &[u8]| {
    if let Some(mut hasher) = Hasher::resume(&HashState::from_bytes(bytes.to_vec())) {
        assert_eq!(hasher.state().as_bytes(), bytes, "a state is put down as it was taken up");
        hasher.update(bytes);
        hasher.finish();
    }

    let [algorithm, cuts @ .., _, _] = bytes else { return };
    let algorithm = Algorithm::ALL[usize::from(algorithm % 2)];
    let content = &bytes[1..];
    let cut = |at: usize| cuts.get(at).map_or(0, |cut| usize::from(*cut)) * content.len() / 255;
    let (one, other) = (cut(0).min(cut(1)), cut(0).max(cut(1)));

    let mut hasher = Hasher::new(algorithm);
    for piece in [&content[..one], &content[one..other], &content[other..]] {
        hasher.update(piece);
        let state = hasher.state();
        hasher = Hasher::resume(&state).expect("a state that was just put down");
        assert_eq!(hasher.state(), state);
        assert_eq!(hasher.algorithm(), algorithm);
    }
    assert_eq!(hasher.finish(), Hasher::digest(algorithm, content));
});
