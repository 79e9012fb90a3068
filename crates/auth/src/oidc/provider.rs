//! One identity provider: where a browser is sent to log in there, and what is made of the answer.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wharf_core::authority::Secret;
use wharf_core::browser::{Attempt, LoginProvider, ProviderAnswer, Purpose};
use wharf_core::clock::Clock;
use wharf_core::metadata::{ExternalIdentity, ExternalName, ProviderName};

use super::claims::ClaimRules;
use super::exchange::{ask_who, exchange, form};
use super::id_token::{self, NoAnswer};
use crate::issuer::documents::{Endpoints, NoDocument, is_safe};
use crate::issuer::keys::{Configuration, IssuerKeys};
use crate::issuer::signed::{TokenError, verified, whole_seconds};

/// The longest ID token that is looked at, in bytes: with a few hundred groups.
const LONGEST_TOKEN: usize = 64 << 10;

/// What an operator says of a provider.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// What it is called here.
    pub name: ProviderName,
    /// What it is called on its button.
    pub label: String,
    /// Who it is, byte by byte as its tokens say.
    pub issuer: String,
    /// What it calls this registry.
    pub client_id: String,
    /// What it knows this registry by; a public client has none.
    pub client_secret: Option<Secret>,
    /// What is asked for, with spaces between: `openid` is among it.
    pub scopes: String,
    /// What its claims mean.
    pub claims: ClaimRules,
    /// Whether who comes for the first time becomes a user.
    pub create_users: bool,
}

/// Why nobody was logged in: for the log of the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// It is no answer to what this browser asked, or its code is worth nothing any more.
    #[error("it is no answer to what this browser asked a short time ago")]
    Stale,
    /// The provider says no.
    #[error("it did not log them in: {0:?}")]
    Denied(String),
    /// They are somebody, and have not what is required.
    #[error("{why}")]
    NotAllowed {
        /// Who.
        subject: ExternalName,
        /// What they have not.
        why: String,
    },
    /// It cannot be reached, or what it says is not to be believed.
    #[error("{0}")]
    Provider(String),
    /// Its ID token is none.
    #[error("its ID token: {0}")]
    Token(#[from] TokenError),
    /// Its ID token is no answer.
    #[error("its ID token: {0}")]
    NoAnswer(#[from] NoAnswer),
}

impl From<NoDocument> for OidcError {
    fn from(error: NoDocument) -> Self {
        Self::Provider(error.to_string())
    }
}

/// An identity provider.
pub struct Provider {
    /// What an operator says of it.
    pub settings: ProviderSettings,
    /// What it publishes.
    pub issuer: Arc<IssuerKeys>,
    /// The way to it.
    pub endpoints: Arc<dyn Endpoints>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Provider {
    /// As people choose it.
    #[must_use]
    pub fn shown(&self) -> LoginProvider {
        LoginProvider { name: self.settings.name.clone(), label: self.settings.label.clone() }
    }

    async fn configuration(&self) -> Result<Arc<Configuration>, OidcError> {
        let published = self.issuer.configuration().await;
        published.ok_or_else(|| OidcError::Provider("it does not publish its configuration".into()))
    }

    /// Where a browser is sent (OpenID Connect Core 1.0, section 3.1.2.1; RFC 7636, section 4.3).
    ///
    /// # Errors
    /// [`OidcError::Provider`].
    pub async fn begin(&self, attempt: &Attempt) -> Result<String, OidcError> {
        let configuration = self.configuration().await?;
        let url = configuration.authorization_endpoint.as_deref().filter(|url| is_safe(url));
        let url = url.ok_or_else(|| {
            OidcError::Provider("its authorization_endpoint is missing, or not https".into())
        })?;
        let secret = &attempt.secret;
        let challenge = Sha256::digest(secret.derived(Purpose::Verifier));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &attempt.callback),
            ("scope", &self.settings.scopes),
            ("state", &secret.derived(Purpose::State)),
            ("nonce", &secret.derived(Purpose::Nonce)),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(challenge)),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if url.contains('?') { '&' } else { '?' };
        Ok(format!("{url}{joint}{query}"))
    }

    /// Who logged in, by what the provider answered.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn finish(
        &self,
        attempt: &Attempt,
        answer: &ProviderAnswer,
    ) -> Result<ExternalIdentity, OidcError> {
        let is_ours = attempt.provider == self.settings.name
            && attempt.secret.is_derived(Purpose::State, &answer.state);
        if !is_ours {
            return Err(OidcError::Stale);
        }
        let configuration = self.configuration().await?;
        self.check_issuer(&configuration, answer)?;
        if let Some(error) = &answer.error {
            return Err(OidcError::Denied(error.chars().take(100).collect()));
        }
        let code = answer.code.as_ref();
        let code = code.ok_or_else(|| OidcError::Provider("its answer has no code".into()))?;
        let (endpoints, settings) = (&*self.endpoints, &self.settings);
        let tokens = exchange(endpoints, settings, &configuration, attempt, code).await?;
        let mut claims = self.verified(tokens.id.expose(), attempt).await?;
        if let (true, Some(url), Some(access)) =
            (settings.claims.lack(&claims), &configuration.userinfo_endpoint, &tokens.access)
        {
            add(&mut claims, ask_who(endpoints, url, access).await?)?;
        }
        settings.claims.identity(&settings.name, &claims)
    }

    /// That no other provider's answer is taken for this one's (RFC 9207, section 2.4).
    fn check_issuer(
        &self,
        configuration: &Configuration,
        answer: &ProviderAnswer,
    ) -> Result<(), OidcError> {
        let must_say = configuration.authorization_response_iss_parameter_supported;
        match &answer.issuer {
            Some(issuer) if *issuer == self.settings.issuer => Ok(()),
            None if !must_say => Ok(()),
            _ => Err(OidcError::Provider("the answer is of another issuer, or of nobody".into())),
        }
    }

    async fn verified(&self, token: &str, attempt: &Attempt) -> Result<Value, OidcError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Form.into());
        }
        let now = self.clock.now();
        let claims = verified(&self.issuer, token, now).await?;
        let (issuer, client) = (&self.settings.issuer, &self.settings.client_id);
        id_token::check(&claims, issuer, client, &attempt.secret, whole_seconds(now))?;
        Ok(claims)
    }
}

/// Adds what is said of the same person elsewhere, where the ID token says nothing (OpenID Connect Core 1.0, section 5.3.2).
fn add(claims: &mut Value, said: Value) -> Result<(), OidcError> {
    let same = said.get("sub").is_some() && said.get("sub") == claims.get("sub");
    let (true, Value::Object(said), Some(claims)) = (same, said, claims.as_object_mut()) else {
        return Err(OidcError::Provider("its userinfo_endpoint speaks of somebody else".into()));
    };
    for (name, value) in said {
        claims.entry(name).or_insert(value);
    }
    Ok(())
}
