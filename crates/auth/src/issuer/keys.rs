//! The keys of one issuer, and its configuration: found by discovery (OpenID Connect Discovery 1.0, section 4) or read
//! from a file, fetched again when a token names a key that is not known, and seldom.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use wharf_core::clock::{Clock, Timestamp};

use super::documents::{Documents, NoDocument, is_safe};

/// How long fetched keys are used without asking again.
const FRESH: Duration = Duration::from_secs(600);

/// How long they are used while the issuer does not answer: a key that it withdrew ends no later.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// The pause before keys are fetched again.
const PAUSE: Duration = Duration::from_secs(60);

/// The pause after a try that brought nothing.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The most keys of an issuer.
const MOST_KEYS: usize = 100;

/// A key, with the algorithms that it is good for.
#[derive(Clone)]
pub struct IssuerKey {
    /// Verifies.
    pub key: DecodingKey,
    /// By which algorithms: those of its own type, whatever a token says.
    pub algorithms: Vec<Algorithm>,
}

/// The keys of a set, by their names. A key without a name has the empty one.
pub type KeySet = BTreeMap<String, IssuerKey>;

/// Reads a JWK set (RFC 7517, section 5). Keys that are no public keys to verify signatures by are left out, as section
/// 5 says: so a secret key (`oct`) never verifies anything.
///
/// # Errors
/// [`NoDocument`].
pub fn read_keys(document: &[u8]) -> Result<KeySet, NoDocument> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| NoDocument(format!("it is no JWK set: {error}")))?;
    if document.keys.len() > MOST_KEYS {
        return Err(NoDocument(format!("it has more than {MOST_KEYS} keys")));
    }
    let known = document.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(known.filter_map(|jwk| usable(&jwk)).collect())
}

fn usable(jwk: &Jwk) -> Option<(String, IssuerKey)> {
    let of_type: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[Algorithm::RS256, Algorithm::PS256],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => return None,
    };
    let signs = |used: &PublicKeyUse| match used {
        PublicKeyUse::Signature => true,
        // What SPIFFE calls keys of JWT-SVIDs (JWT-SVID, section 4.2.2).
        PublicKeyUse::Other(name) => name == "jwt-svid",
        PublicKeyUse::Encryption => false,
    };
    if !jwk.common.public_key_use.as_ref().is_none_or(signs) {
        return None;
    }
    let named = jwk.common.key_algorithm;
    let algorithms: Vec<Algorithm> = of_type
        .iter()
        .copied()
        .filter(|algorithm| named.is_none_or(|named| KeyAlgorithm::from(*algorithm) == named))
        .collect();
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let id = jwk.common.key_id.clone().unwrap_or_default();
    (!algorithms.is_empty()).then_some((id, IssuerKey { key, algorithms }))
}

/// What an issuer publishes of itself (OpenID Connect Discovery 1.0, section 3; RFC 8414). What is not said is `None`, or
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// Who it is.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where it sees to who somebody is.
    pub authorization_endpoint: Option<String>,
    /// Where it exchanges codes for tokens.
    pub token_endpoint: Option<String>,
    /// Where it says more of who somebody is.
    pub userinfo_endpoint: Option<String>,
    /// How clients say who they are there.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether its answers say whose they are (RFC 9207, section 3).
    pub authorization_response_iss_parameter_supported: bool,
}

/// What is known of an issuer.
#[derive(Default)]
struct Known {
    configuration: Arc<Configuration>,
    keys: Arc<KeySet>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    /// A fetch that runs: all who need one wait for it together.
    running: Option<Shared<BoxFuture<'static, ()>>>,
}

/// The keys of one issuer.
pub struct IssuerKeys {
    issuer: String,
    documents: Option<Arc<dyn Documents>>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

impl IssuerKeys {
    /// Those that an issuer publishes.
    pub fn published(
        issuer: &str,
        documents: Arc<dyn Documents>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let known = Mutex::default();
        Arc::new(Self { issuer: issuer.to_owned(), documents: Some(documents), clock, known })
    }

    /// Those of a file, of an issuer that cannot be reached.
    pub fn given(issuer: &str, keys: KeySet, clock: Arc<dyn Clock>) -> Arc<Self> {
        let known = Known { keys: Arc::new(keys), ..Known::default() };
        let known = Mutex::new(known);
        Arc::new(Self { issuer: issuer.to_owned(), documents: None, clock, known })
    }

    /// The key of that name. One without a name is found where the issuer has no other.
    pub async fn find(self: &Arc<Self>, id: &str) -> Option<IssuerKey> {
        let is_known =
            |known: &Known| known.keys.contains_key(id) || (id.is_empty() && known.keys.len() == 1);
        if let Some(running) = self.needed(is_known) {
            running.await;
        }
        let known = self.known();
        let in_time = known.fetched_at.is_none_or(|at| at.after(KEPT) > self.clock.now());
        let only = || known.keys.values().next().filter(|_| id.is_empty() && known.keys.len() == 1);
        if in_time { known.keys.get(id).or_else(only).cloned() } else { None }
    }

    /// What the issuer publishes of itself; `None` where it has not answered for long.
    pub async fn configuration(self: &Arc<Self>) -> Option<Arc<Configuration>> {
        if let Some(running) = self.needed(|_| true) {
            running.await;
        }
        let known = self.known();
        let in_time = known.fetched_at.is_some_and(|at| at.after(KEPT) > self.clock.now());
        in_time.then(|| Arc::clone(&known.configuration))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fetch to wait for: one that runs, or one that is due.
    fn needed(
        self: &Arc<Self>,
        is_known: impl Fn(&Known) -> bool,
    ) -> Option<Shared<BoxFuture<'static, ()>>> {
        self.documents.as_ref()?;
        let now = self.clock.now();
        let mut known = self.known();
        let is_fresh = known.fetched_at.is_some_and(|at| at.after(FRESH) > now);
        if is_fresh && is_known(&known) {
            return None;
        }
        if known.running.as_ref().is_some_and(|running| running.peek().is_none()) {
            return known.running.clone();
        }
        let failed = known.fetched_at < known.tried_at;
        let pause = if failed { PAUSE_AFTER_FAILURE } else { PAUSE };
        if known.tried_at.is_some_and(|at| at.after(pause) > now) {
            return None;
        }
        known.tried_at = Some(now);
        let of = Arc::clone(self);
        // In a task of its own, so that who waits may go away.
        let task = tokio::spawn(async move { of.fetch_again().await });
        known.running = Some(task.map(|_| ()).boxed().shared());
        known.running.clone()
    }

    async fn fetch_again(&self) {
        match self.fetch().await {
            Ok((configuration, keys)) => {
                let now = self.clock.now();
                let mut known = self.known();
                known.configuration = Arc::new(configuration);
                (known.keys, known.fetched_at) = (Arc::new(keys), Some(now));
            }
            Err(error) => tracing::warn!(issuer = self.issuer, %error, "no keys of the issuer"),
        }
    }

    async fn fetch(&self) -> Result<(Configuration, KeySet), NoDocument> {
        let Some(documents) = &self.documents else { return Ok(Default::default()) };
        let base = self.issuer.trim_end_matches('/');
        let found = documents.fetch(&format!("{base}/.well-known/openid-configuration")).await?;
        let found: Configuration = serde_json::from_slice(&found)
            .map_err(|error| NoDocument(format!("the configuration cannot be read: {error}")))?;
        if found.issuer != self.issuer {
            let issuer: String = found.issuer.chars().take(200).collect();
            return Err(NoDocument(format!("the configuration is of the issuer {issuer:?}")));
        }
        if !is_safe(&found.jwks_uri) {
            return Err(NoDocument("its jwks_uri is not https".into()));
        }
        let keys = read_keys(&documents.fetch(&found.jwks_uri).await?)?;
        Ok((found, keys))
    }
}
