//! Verifying a token by the keys of its issuer: the signature and the times. For whom it is, others ask.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;
use wharf_core::clock::Timestamp;

use super::keys::IssuerKeys;

/// How far the clocks of an issuer and of this node may be apart, in seconds.
pub const SKEW: u64 = 30;

/// Why a token was refused: for the log of the operator. Clients are told no more than that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no JWT, is too long, or its claims have not the types that they must have.
    #[error("it has not the form of a token")]
    Form,
    /// Its issuer is not trusted.
    #[error("its issuer is not trusted here")]
    UnknownIssuer,
    /// Its issuer has no such key, or has it for another algorithm.
    #[error("its issuer has no such key for its algorithm")]
    UnknownKey,
    /// The signature is wrong.
    #[error("its issuer did not sign it")]
    NotSigned,
    /// Its time has passed.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    Early,
}

/// What a token says, if one of these keys signed it and its time is now. The key is one of the issuer's own, for an
/// algorithm of the key's own type: whatever else the header names or brings (`jwk`, `jku`, `x5u`) is not looked at. How long
/// a token may be, the caller has checked.
///
/// # Errors
/// [`TokenError`].
pub async fn verified(
    keys: &Arc<IssuerKeys>,
    token: &str,
    now: Timestamp,
) -> Result<Value, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Form)?;
    let key = keys.find(header.kid.as_deref().unwrap_or_default()).await;
    let key = key.filter(|key| key.algorithms.contains(&header.alg));
    let key = key.ok_or(TokenError::UnknownKey)?;
    let verified = jsonwebtoken::decode::<Value>(token, &key.key, &signature_alone(header.alg));
    let claims = verified.map_err(|_| TokenError::NotSigned)?.claims;
    check_times(&claims, now)?;
    Ok(claims)
}

/// The times are compared here, by a clock that tests can move.
fn check_times(claims: &Value, now: Timestamp) -> Result<(), TokenError> {
    let now = whole_seconds(now);
    let expires_at = time(claims, "exp").ok_or(TokenError::Form)?;
    if expires_at.saturating_add(SKEW) <= now {
        return Err(TokenError::Expired);
    }
    if claims.get("nbf").is_some() {
        let from = time(claims, "nbf").ok_or(TokenError::Form)?;
        if from > now.saturating_add(SKEW) {
            return Err(TokenError::Early);
        }
    }
    Ok(())
}

/// A moment in seconds since 1970-01-01 UTC.
#[must_use]
pub fn whole_seconds(moment: Timestamp) -> u64 {
    let second = i64::try_from(Duration::from_secs(1).as_micros()).unwrap_or(i64::MAX);
    u64::try_from(moment.0 / second).unwrap_or_default()
}

/// A claim that is a NumericDate (RFC 7519, section 2), which may have a fraction.
#[must_use]
pub fn time(claims: &Value, name: &str) -> Option<u64> {
    let value = claims.get(name)?;
    let whole = |number: f64| (number >= 0.0).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

/// Whether a token is for somebody: `aud`, a text or a list of them (RFC 7519, section 4.1.3).
#[must_use]
pub fn is_for(claims: &Value, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
