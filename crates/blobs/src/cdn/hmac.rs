//! The generic form: `?expires=SECONDS&key=ID&signature=…`, for any CDN or proxy that can compute an HMAC.
//!
//! The signature is the HMAC-SHA-256, in lower-case hexadecimal, of the URL from its path up to the `&signature`:
//! `/path?expires=SECONDS&key=ID`. The CDN compares it in constant time, and `expires` (seconds since 1970) with
//! its clock. `ID` says which secret, so that one can be replaced while URLs signed by it are still about.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::BadCdnKey;

/// The least bytes of a secret.
const LEAST: usize = 32;

/// A secret that a CDN knows too, and its name.
#[derive(Clone)]
pub struct HmacKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HmacKey({})", self.id)
    }
}

impl HmacKey {
    /// A secret of at least 32 bytes, white space around it left out; `id` is of letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// When either is not so.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, BadCdnKey> {
        let id = super::key_id(id)?;
        let secret = secret.trim_ascii();
        if secret.len() < LEAST {
            let length = secret.len();
            return Err(BadCdnKey(format!("its secret has {length} bytes, {LEAST} are the least")));
        }
        let mac = Hmac::new_from_slice(secret).map_err(|error| BadCdnKey(error.to_string()))?;
        Ok(Self { id, mac })
    }

    /// Signs a URL whose path begins at `path`.
    pub(super) fn sign(&self, url: &str, path: usize, expires: u64) -> String {
        let mut signed = format!("{url}?expires={expires}&key={}", self.id);
        let mut mac = self.mac.clone();
        mac.update(&signed.as_bytes()[path..]);
        signed.push_str("&signature=");
        for byte in mac.finalize().into_bytes() {
            signed.push_str(&format!("{byte:02x}"));
        }
        signed
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_openssl_computes() {
        // printf '/w/sha256/ab/cd/abcd?expires=1700000000&key=a' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let key = HmacKey::new("a", b"0123456789abcdef0123456789abcdef\n").unwrap();
        let url = "https://cdn.example/w/sha256/ab/cd/abcd";
        assert_eq!(
            key.sign(url, "https://cdn.example".len(), 1_700_000_000),
            format!(
                "{url}?expires=1700000000&key=a&signature=c189428fdcf2cc458735f14db6bf44b54675762bd59e45a2463ccc89c9b768d1"
            )
        );
    }

    #[test]
    fn short_secrets_and_odd_names_are_refused_and_secrets_never_printed() {
        assert!(HmacKey::new("a", b"short").is_err());
        assert!(HmacKey::new("a&b", &[b'x'; 32]).is_err());
        let key = HmacKey::new("a", &[b'x'; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "HmacKey(a)");
    }
}
