//! The keys that sign and verify, made ready once: to read and check an RSA key takes longer than to sign by it, and to make one ready
//! to verify takes a part of what verifying takes.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde::de::DeserializeOwned;

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

/// A key that verifies what was signed by RS256.
pub(crate) struct VerifyingKey(ParsedPublicKey);

/// It cannot verify.
#[derive(Debug, thiserror::Error)]
#[error("the key cannot verify")]
pub(crate) struct NoVerifier;

impl VerifyingKey {
    /// A public RSA key.
    pub(crate) fn new(key: &Jwk) -> Result<Self, NoVerifier> {
        let AlgorithmParameters::RSA(rsa) = &key.algorithm else { return Err(NoVerifier) };
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| NoVerifier);
        let key = RsaPublicKeyComponents { n: part(&rsa.n)?, e: part(&rsa.e)? };
        let key = key.as_der().map_err(|_| NoVerifier)?;
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref());
        key.map(Self).map_err(|_| NoVerifier)
    }
}

/// A JWT in its parts (RFC 7515, section 7.1), of which nothing is known yet.
pub(crate) struct Parts<'a> {
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    /// The parts of a text that has three.
    pub(crate) fn of(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        Some(Self { message, header, claims, signature })
    }

    /// What the header says, which anybody can write.
    pub(crate) fn header<T: DeserializeOwned>(&self) -> Option<T> {
        decoded(self.header)
    }

    /// What the claims say, where the key has signed them.
    pub(crate) fn signed_by<T: DeserializeOwned>(
        &self,
        key: &VerifyingKey,
    ) -> Result<Option<T>, NotSigned> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| NotSigned)?;
        key.0.verify_sig(self.message.as_bytes(), &signature).map_err(|_| NotSigned)?;
        Ok(decoded(self.claims))
    }
}

/// The key has not signed it.
pub(crate) struct NotSigned;

fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn encoded(part: &impl Serialize) -> Result<String, Unfit> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).map_err(|_| Unfit)?))
}
