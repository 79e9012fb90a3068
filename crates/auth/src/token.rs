//! Access tokens: JWT signed by RS256 that say who somebody is and what they were granted (the registry token
//! specification, "Token Authentication Implementation"). Verified by the public keys alone.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_core::clock::{Clock, Random};
use wharf_core::operation::Action;
use wharf_core::permissions::{Actions, Caller, Principal, Rights};

use crate::keys::KeyRing;
use crate::signing::Parts;

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 16 << 10;

/// How far the clocks of two nodes may be apart.
const SKEW: Duration = Duration::from_secs(30);

/// What a token says of itself; also what [`Verifier`] demands.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Who signs: `iss`.
    pub issuer: String,
    /// For whom: `aud`, the challenge's `service`.
    pub service: String,
    /// How long a token is good for.
    pub life: Duration,
}

/// Why a token was refused. Clients are told no more than that it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no JWT, is too long, or its claims are not those of an access token.
    #[error("it has not the form of an access token")]
    Form,
    /// It names a key or an algorithm that is not ours.
    #[error("it names no key of this registry")]
    UnknownKey,
    /// The signature, the issuer or the audience is not ours.
    #[error("it was not signed for this registry")]
    NotOurs,
    /// Its time has passed.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    Early,
}

/// Why no token was issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node has no key to sign tokens by")]
pub struct CannotSign;

/// What the header of a token says, as far as it is looked at: no key, and no place of one.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    access: Vec<Access>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Access {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Vec<String>,
}

/// A token that was issued.
pub struct IssuedToken {
    /// Its text.
    pub text: String,
    /// When, in seconds since 1970-01-01 UTC.
    pub issued_at: u64,
    /// For how long.
    pub life: Duration,
}

/// Signs a token.
///
/// # Errors
/// [`CannotSign`].
pub fn issue(
    keys: &KeyRing,
    authority: &Authority,
    principal: &Principal,
    rights: &Rights,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<IssuedToken, CannotSign> {
    let key = keys.signing().ok_or(CannotSign)?;
    let now = seconds(clock);
    let mut id = [0; 16];
    random.fill(&mut id);
    let claims = Claims {
        iss: authority.issuer.clone(),
        sub: principal.to_string(),
        aud: authority.service.clone(),
        exp: now + authority.life.as_secs(),
        nbf: now,
        iat: now,
        jti: format!("{:032x}", u128::from_be_bytes(id)),
        access: stated(rights),
    };
    let text = key.sign(&claims).map_err(|_| CannotSign)?;
    Ok(IssuedToken { text, issued_at: now, life: authority.life })
}

/// Verifies tokens.
pub struct Verifier {
    authority: Authority,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// One that takes tokens of `authority` alone.
    pub fn new(authority: Authority, clock: Arc<dyn Clock>) -> Self {
        Self { authority, clock }
    }

    /// Whose tokens are taken.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Who a token is of, and what it grants.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, keys: &KeyRing, token: &str) -> Result<Caller, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Form);
        }
        let parts = Parts::of(token).ok_or(TokenError::Form)?;
        let header: Header = parts.header().ok_or(TokenError::Form)?;
        if header.alg != "RS256" {
            return Err(TokenError::UnknownKey);
        }
        let key = header.kid.and_then(|id| keys.verifying(&id)).ok_or(TokenError::UnknownKey)?;
        let claims = parts.signed_by::<Claims>(key).map_err(|_| TokenError::NotOurs)?;
        let claims = claims.ok_or(TokenError::Form)?;
        if claims.iss != self.authority.issuer || claims.aud != self.authority.service {
            return Err(TokenError::NotOurs);
        }
        let (now, skew) = (seconds(&*self.clock), SKEW.as_secs());
        if claims.exp.saturating_add(skew) <= now {
            return Err(TokenError::Expired);
        }
        if claims.nbf > now + skew {
            return Err(TokenError::Early);
        }
        let principal: Principal = claims.sub.parse().map_err(|_| TokenError::Form)?;
        if principal == Principal::System {
            return Err(TokenError::Form);
        }
        Ok(Caller::with_rights(principal, granted(claims.access)?))
    }
}

fn seconds(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().0 / 1_000_000).unwrap_or_default()
}

fn stated(rights: &Rights) -> Vec<Access> {
    let granted = rights.repositories.iter().filter(|(_, actions)| !actions.is_empty());
    let repositories = granted.map(|(name, actions)| Access {
        kind: "repository".into(),
        name: name.to_string(),
        actions: actions.iter().map(|action| action.name().to_owned()).collect(),
    });
    let catalog = rights.catalog.then(|| Access {
        kind: "registry".into(),
        name: "catalog".into(),
        actions: vec!["*".into()],
    });
    repositories.chain(catalog).collect()
}

/// What a token of ours states. One that states something else was not made by [`issue`].
fn granted(access: Vec<Access>) -> Result<Rights, TokenError> {
    let mut rights = Rights::default();
    for Access { kind, name, actions } in access {
        match (kind.as_str(), name.as_str()) {
            ("registry", "catalog") => rights.catalog = actions.iter().any(|action| action == "*"),
            ("repository", _) => {
                let name = name.parse().map_err(|_| TokenError::Form)?;
                let known = Action::ALL.into_iter();
                let actions: Actions =
                    known.filter(|known| actions.iter().any(|it| it == known.name())).collect();
                rights.repositories.push((name, actions));
            }
            _ => return Err(TokenError::Form),
        }
    }
    Ok(rights)
}
