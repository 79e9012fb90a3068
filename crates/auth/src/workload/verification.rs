//! Verifying a workload's token: signature, issuer and times. Whom it stands for, the rules say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;
use wharf_core::clock::Clock;

use super::issuer_keys::IssuerKeys;

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 16 << 10;

/// How far the clocks of an issuer and of this node may be apart.
const SKEW: Duration = Duration::from_secs(30);

/// The longest subject, in bytes.
const LONGEST_SUBJECT: usize = 2 << 10;

/// A workload, by a token that was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Who says so: `iss`.
    pub issuer: String,
    /// Who it is there: `sub`.
    pub subject: String,
    /// Until when the token is good: `exp`, in seconds since 1970-01-01 UTC.
    pub expires_at: u64,
    /// All that the token says.
    pub claims: Value,
}

impl Workload {
    /// Whether its token is for somebody: `aud`, a text or a list of them (RFC 7519, section 4.1.3).
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }
}

/// Why a token was refused: for the log of the operator. Clients are told no more than that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// It is no JWT, is too long, or its claims have not the types that they must have.
    #[error("it has not the form of a token")]
    Form,
    /// Its issuer is none of `workloads.issuers`.
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

/// Verifies tokens of the issuers that an operator named.
pub struct Workloads {
    issuers: BTreeMap<String, Arc<IssuerKeys>>,
    clock: Arc<dyn Clock>,
}

impl Workloads {
    /// Those of these issuers, each with its keys.
    pub fn new(issuers: BTreeMap<String, Arc<IssuerKeys>>, clock: Arc<dyn Clock>) -> Self {
        Self { issuers, clock }
    }

    /// Whether an issuer is one of them.
    #[must_use]
    pub fn knows(&self, issuer: &str) -> bool {
        self.issuers.contains_key(issuer)
    }

    /// Whether a text that came as a secret is such a token, verified or not: no password and no secret of ours has
    /// its form.
    #[must_use]
    pub fn recognises(text: &str) -> bool {
        text.len() <= LONGEST && jsonwebtoken::decode_header(text).is_ok()
    }

    /// Who shows a token. The key is one of the issuer's own, for an algorithm of the key's own type: whatever else the
    /// header names or brings (`jwk`, `jku`, `x5u`) is not looked at.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub async fn verify(&self, token: &str) -> Result<Workload, WorkloadError> {
        if token.len() > LONGEST {
            return Err(WorkloadError::Form);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| WorkloadError::Form)?;
        let said = jsonwebtoken::dangerous::insecure_decode::<Value>(token);
        let said = said.map_err(|_| WorkloadError::Form)?.claims;
        let issuer = said.get("iss").and_then(Value::as_str).ok_or(WorkloadError::Form)?;
        let keys = self.issuers.get(issuer).ok_or(WorkloadError::UnknownIssuer)?;
        let key = keys.find(header.kid.as_deref().unwrap_or_default()).await;
        let key = key.filter(|key| key.algorithms.contains(&header.alg));
        let key = key.ok_or(WorkloadError::UnknownKey)?;
        let verified = jsonwebtoken::decode::<Value>(token, &key.key, &signature_alone(header.alg));
        let claims = verified.map_err(|_| WorkloadError::NotSigned)?.claims;
        self.checked(issuer, claims)
    }

    /// The times are compared here, by a clock that tests can move, and the audience by the rules.
    fn checked(&self, issuer: &str, claims: Value) -> Result<Workload, WorkloadError> {
        let time = |name: &str| claims.get(name).and_then(seconds);
        let now = u64::try_from(self.clock.now().0 / 1_000_000).unwrap_or_default();
        let expires_at = time("exp").ok_or(WorkloadError::Form)?;
        if expires_at.saturating_add(SKEW.as_secs()) <= now {
            return Err(WorkloadError::Expired);
        }
        if claims.get("nbf").is_some() {
            let from = time("nbf").ok_or(WorkloadError::Form)?;
            if from > now.saturating_add(SKEW.as_secs()) {
                return Err(WorkloadError::Early);
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|it| (1..=LONGEST_SUBJECT).contains(&it.len()));
        let subject = subject.ok_or(WorkloadError::Form)?.to_owned();
        Ok(Workload { issuer: issuer.to_owned(), subject, expires_at, claims })
    }
}

/// A NumericDate (RFC 7519, section 2), which may have a fraction.
fn seconds(value: &Value) -> Option<u64> {
    let whole = |number: f64| (number >= 0.0).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
