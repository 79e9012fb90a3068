//! The key that signs, made ready once: to read and check an RSA key takes longer than to sign by it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// A key that signs by RS256.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    /// The header of what it signs, encoded.
    header: String,
}

/// It cannot sign.
#[derive(Debug, thiserror::Error)]
#[error("the key cannot sign")]
pub(crate) struct Unfit;

impl SigningKey {
    /// A key, which verifiers know by `id`.
    pub(crate) fn new(id: &str, key: &EncodingKey) -> Result<Self, Unfit> {
        let pair = RsaKeyPair::from_der(key.as_bytes()).map_err(|_| Unfit)?;
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::RS256) };
        Ok(Self { pair, header: encoded(&header)? })
    }

    /// A JWT that says so (RFC 7515, section 7.1).
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, Unfit> {
        let mut text = format!("{}.{}", self.header, encoded(claims)?);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Unfit)?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}

fn encoded(part: &impl Serialize) -> Result<String, Unfit> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).map_err(|_| Unfit)?))
}
