//! CloudFront's form of a signed URL: a canned policy, signed by RSA.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::PrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use sha1::Sha1;

use super::BadCdnKey;

/// The private half of a key that a key group of CloudFront trusts, and its name there.
#[derive(Clone)]
pub struct CloudFrontKey {
    id: String,
    key: SigningKey<Sha1>,
}

impl fmt::Debug for CloudFrontKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CloudFrontKey({})", self.id)
    }
}

impl CloudFrontKey {
    /// A key in PEM (PKCS #8 or PKCS #1), and the `Key-Pair-Id` that CloudFront gave its public half.
    ///
    /// # Errors
    /// When it is no RSA key.
    pub fn new(id: &str, pem: &str) -> Result<Self, BadCdnKey> {
        let id = super::key_id(id)?;
        let key = PrivateKey::from_pkcs8_pem(pem)
            .or_else(|_| PrivateKey::from_pkcs1_pem(pem))
            .map_err(|_| BadCdnKey("it is no RSA private key in PEM".into()))?;
        Ok(Self { id, key: SigningKey::new(key) })
    }

    pub(super) fn sign(&self, url: &str, expires: u64) -> Result<String, String> {
        let policy = policy(url, expires);
        let signature = self.key.try_sign(policy.as_bytes()).map_err(|error| error.to_string())?;
        let signature = STANDARD.encode(signature.to_bytes());
        // What a query may not hold, in CloudFront's own substitution.
        let signature = signature.replace('+', "-").replace('=', "_").replace('/', "~");
        Ok(format!("{url}?Expires={expires}&Signature={signature}&Key-Pair-Id={}", self.id))
    }
}

/// The canned policy, byte for byte: CloudFront makes it again from the URL and compares.
fn policy(url: &str, expires: u64) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rsa::PublicKey;
    use rsa::pkcs1v15::{Signature, VerifyingKey};
    use rsa::signature::Verifier;

    use super::*;

    fn pem() -> String {
        let size = rcgen::RsaKeySize::_2048;
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap().serialize_pem()
    }

    #[test]
    fn the_signature_is_of_the_canned_policy() {
        let pem = pem();
        let key = CloudFrontKey::new("K2JCJMDEHXQW5F", &pem).unwrap();
        let url = "https://d111111abcdef8.cloudfront.net/sha256/ab/cd/abcd";
        let signed = key.sign(url, 1_357_034_400).unwrap();
        let query = signed.strip_prefix(&format!("{url}?Expires=1357034400&Signature=")).unwrap();
        let signature = query.strip_suffix("&Key-Pair-Id=K2JCJMDEHXQW5F").unwrap();
        let signature = signature.replace('-', "+").replace('_', "=").replace('~', "/");
        let signature = STANDARD.decode(signature).unwrap();
        let policy = r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/sha256/ab/cd/abcd","Condition":{"DateLessThan":{"AWS:EpochTime":1357034400}}}]}"#;
        let public = PublicKey::from(&PrivateKey::from_pkcs8_pem(&pem).unwrap());
        VerifyingKey::<Sha1>::new(public)
            .verify(policy.as_bytes(), &Signature::try_from(&*signature).unwrap())
            .unwrap();
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let error = CloudFrontKey::new("K1", "hidden").unwrap_err().to_string();
        assert!(error.contains("no RSA private key") && !error.contains("hidden"), "{error}");
    }
}
