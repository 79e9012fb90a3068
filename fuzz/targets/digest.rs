//! Any bytes as a digest, in its text, its binary form and JSON; any two digests in order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::oci::regular_expression::matches;
use wharf_oci::Digest;

/// What the image specification registers (descriptor.md, "Registered algorithms").
const DIGEST: &str = "sha256:[a-f0-9]{64,64}|sha512:[a-f0-9]{128,128}";

fn read(text: &str) -> Option<Digest> {
    let digest = text.parse::<Digest>().ok();
    // Longer texts would only slow the expression down.
    let is_digest = text.len() <= Digest::MAX_TEXT && matches(DIGEST, text);
    assert_eq!(digest.is_some(), is_digest, "{text}");
    if let Some(digest) = digest {
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::from_binary(&digest.to_binary()), Some(digest));
        assert_eq!(Digest::from_hash(digest.algorithm(), digest.hash()), Some(digest));
    }
    digest
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(digest) = Digest::from_binary(bytes) {
        assert_eq!(digest.to_binary(), bytes);
        assert_eq!(read(&digest.to_string()), Some(digest));
    }
    if let Ok(digest) = serde_json::from_slice::<Digest>(bytes) {
        let text: String = serde_json::from_slice(bytes).expect("a digest is a string");
        assert_eq!(read(&text), Some(digest));
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    read(text);
    let digests: Vec<Digest> = text.lines().filter_map(read).collect();
    for pair in digests.windows(2) {
        assert_eq!(pair[0].cmp(&pair[1]), pair[0].to_binary().cmp(&pair[1].to_binary()));
        // Of one algorithm, the text sorts the same.
        if pair[0].algorithm() == pair[1].algorithm() {
            assert_eq!(pair[0].cmp(&pair[1]), pair[0].hex().cmp(&pair[1].hex()));
        }
    }
});
