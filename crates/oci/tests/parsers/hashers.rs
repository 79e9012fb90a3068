//! Hashers: known digests, and content that comes in pieces.

use proptest::prelude::*;
use wharf_oci::{Algorithm, Hasher};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn content_in_pieces_has_the_digest_of_the_whole(
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
    ) {
        let mut hasher = Hasher::new(algorithm);
        for piece in &pieces {
            hasher.update(piece);
        }
        prop_assert_eq!(hasher.finish(), Hasher::digest(algorithm, &pieces.concat()));
    }

    #[test]
    fn a_hasher_put_down_and_taken_up_between_pieces_gives_the_digest_of_the_whole(
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
    ) {
        let mut hasher = Hasher::new(algorithm);
        for piece in &pieces {
            hasher = Hasher::resume(&hasher.state()).unwrap();
            hasher.update(piece);
        }
        let hasher = Hasher::resume(&hasher.state()).unwrap();
        prop_assert_eq!(hasher.algorithm(), algorithm);
        prop_assert_eq!(hasher.finish(), Hasher::digest(algorithm, &pieces.concat()));
    }

    #[test]
    fn one_changed_byte_changes_the_digest(
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        content in prop::collection::vec(any::<u8>(), 1..300),
        at in any::<prop::sample::Index>(),
        by in 1..=255_u8,
    ) {
        let mut changed = content.clone();
        changed[at.index(content.len())] ^= by;
        prop_assert_ne!(Hasher::digest(algorithm, &changed), Hasher::digest(algorithm, &content));
    }
}

#[test]
fn a_hasher_can_be_put_down_at_every_byte_around_its_blocks() {
    let content: Vec<u8> = (0..600_u32).map(|at| (at % 251) as u8).collect();
    for algorithm in Algorithm::ALL {
        for at in 0..=content.len() {
            let (before, after) = content.split_at(at);
            let mut hasher = Hasher::new(algorithm);
            hasher.update(before);
            let mut hasher = Hasher::resume(&hasher.state()).unwrap();
            hasher.update(after);
            assert_eq!(hasher.finish(), Hasher::digest(algorithm, &content), "{algorithm} at {at}");
        }
    }
}

/// FIPS 180-4's examples ("abc" and two longer messages) and the digest of nothing.
#[test]
fn known_content_has_its_known_digest() {
    let million = "a".repeat(1_000_000);
    let two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    let two_long_blocks = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn\
                           hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    for (content, digest) in [
        ("", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (two_blocks, "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (&million, "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ("{}", "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        (
            "",
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
        (
            "abc",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            two_long_blocks,
            "sha512:8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018\
             501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
        ),
        (
            &million,
            "sha512:e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb\
             de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
        ),
    ] {
        let algorithm = digest.split(':').next().unwrap().parse().unwrap();
        assert_eq!(Hasher::digest(algorithm, content.as_bytes()).to_string(), digest);
    }
}
