//! Who carries blobs to clients, as settings say it.

use std::fmt;
use std::str::FromStr;

use super::problem::Refusal;

/// Who sends blobs to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// This node.
    Stream,
    /// The object store, or the CDN, to which clients are redirected.
    Redirect,
    /// A proxy in front that knows `X-Accel-Redirect`, as nginx does.
    XAccel,
    /// A proxy in front that knows `X-Sendfile`.
    XSendfile,
}

impl FromStr for DeliveryMode {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<DeliveryMode, Refusal> {
        match text {
            "stream" => Ok(DeliveryMode::Stream),
            "redirect" => Ok(DeliveryMode::Redirect),
            "x-accel" => Ok(DeliveryMode::XAccel),
            "x-sendfile" => Ok(DeliveryMode::XSendfile),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for DeliveryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeliveryMode::Stream => "stream",
            DeliveryMode::Redirect => "redirect",
            DeliveryMode::XAccel => "x-accel",
            DeliveryMode::XSendfile => "x-sendfile",
        })
    }
}

/// How a CDN knows our signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdnSignature {
    /// By a shared secret.
    Hmac,
    /// By CloudFront's canned policies, signed by RSA.
    CloudFront,
}

impl FromStr for CdnSignature {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<CdnSignature, Refusal> {
        match text {
            "hmac" => Ok(CdnSignature::Hmac),
            "cloudfront" => Ok(CdnSignature::CloudFront),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for CdnSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CdnSignature::Hmac => "hmac",
            CdnSignature::CloudFront => "cloudfront",
        })
    }
}

/// The path under which a proxy in front has the objects: `/` at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(String);

impl FromStr for PathPrefix {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<PathPrefix, Refusal> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if !text.starts_with('/') || !text.ends_with('/') || !text.bytes().all(plain) {
            return Err(Refusal::Malformed);
        }
        Ok(PathPrefix(text.to_owned()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
