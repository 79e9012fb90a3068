//! Verifying a workload's token: signature, issuer and times. Whom it stands for, the rules say.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use wharf_core::clock::Clock;

use crate::issuer::keys::IssuerKeys;
use crate::issuer::signed::{self, TokenError, is_for, verified};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 16 << 10;

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
    /// Whether its token is for somebody.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        is_for(&self.claims, audience)
    }
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

    /// Who shows a token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn verify(&self, token: &str) -> Result<Workload, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Form);
        }
        let said = jsonwebtoken::dangerous::insecure_decode::<Value>(token);
        let said = said.map_err(|_| TokenError::Form)?.claims;
        let issuer = said.get("iss").and_then(Value::as_str).ok_or(TokenError::Form)?;
        let keys = self.issuers.get(issuer).ok_or(TokenError::UnknownIssuer)?;
        let claims = verified(keys, token, self.clock.now()).await?;
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|it| (1..=LONGEST_SUBJECT).contains(&it.len()));
        let subject = subject.ok_or(TokenError::Form)?.to_owned();
        let expires_at = signed::time(&claims, "exp").ok_or(TokenError::Form)?;
        Ok(Workload { issuer: issuer.to_owned(), subject, expires_at, claims })
    }
}
