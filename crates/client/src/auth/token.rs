//! Fetching a token (distribution, "Token Authentication Specification").

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Uri};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Credentials, Scope};
use crate::connection::{Call, Client, Origin, Payload, encode};
use crate::{Error, Secret};

/// The largest answer with a token, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How long a token lives where its giver does not say.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// The longest life believed, so that times cannot overflow.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// So long before its end a token is not used any more: a request takes its time to arrive.
const MARGIN: Duration = Duration::from_secs(10);

/// A token, as long as it is good.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    good_until: Instant,
}

impl Token {
    pub(super) fn is_good(&self) -> bool {
        Instant::now() < self.good_until
    }
}

/// Where tokens for a registry come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenServer {
    pub(super) realm: Uri,
    pub(super) service: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenServer {
    /// The server that a registry's challenge names; `None` where it is no address, or one to which
    /// a password would travel in the clear though the registry itself is reached by HTTPS.
    pub(super) fn new(registry: &Origin, realm: &str, service: Option<String>) -> Option<Self> {
        let realm: Uri = realm.parse().ok()?;
        let origin = Origin::of(&realm)?;
        (origin.https || !registry.https).then_some(Self { realm, service })
    }

    /// Fetches a token.
    pub(super) async fn fetch(
        &self,
        client: &Client,
        registry: &Origin,
        scopes: &[Scope],
        credentials: Option<&Credentials>,
    ) -> Result<Token, Error> {
        let origin = Origin::of(&self.realm)
            .ok_or_else(|| Error::protocol(registry, "a realm that is no address"))?;
        let call = match credentials.filter(|credentials| credentials.is_identity_token()) {
            Some(credentials) => self.by_identity_token(scopes, origin, credentials),
            None => {
                let address = self.address(scopes, &origin)?;
                let mut call = Call::new(Method::GET, address, origin, Vec::new());
                call.credentials = Some(credentials.and_then(Credentials::header));
                call
            }
        };
        let asked = Instant::now();
        // The boxing ends the circle of a request that needs a token that needs a request.
        let reply = Box::pin(client.call(call)).await?;
        if matches!(reply.status.as_u16(), 400 | 401 | 403) {
            return Err(Error::Unauthorized {
                host: registry.to_string(),
                had_credentials: credentials.is_some(),
                reason: reply.refusal().await.to_string(),
            });
        }
        if !reply.status.is_success() {
            return Err(reply.refusal().await);
        }
        let host = reply.host();
        let body = reply.bytes("the answer with a token", MAX_ANSWER).await?;
        let bad = |reason: &str| Error::protocol(&host, format!("no token: {reason}"));
        // The parser's message could quote a token.
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| bad("it is no JSON"))?;
        let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token);
        let token = Secret::new(token.ok_or_else(|| bad("there is none in it"))?);
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| bad("it has characters that no header can hold"))?;
        header.set_sensitive(true);
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs).min(LONGEST_LIFE);
        // A token shorter than the margin must still be good for the request it was fetched for.
        let good = life.saturating_sub(MARGIN).max(life / 2);
        Ok(Token { header, good_until: asked + good })
    }

    /// The form of OAuth 2 (distribution, "Docker Registry v2 authentication using OAuth2"), which alone takes such a token.
    fn by_identity_token(&self, scopes: &[Scope], origin: Origin, token: &Credentials) -> Call {
        let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        let service = self.service.as_deref().unwrap_or_default();
        let form = format!(
            "grant_type=refresh_token&client_id=wharf&service={}&scope={}&refresh_token={}",
            encode(service),
            encode(&scopes.join(" ")),
            encode(token.password.expose())
        );
        let mut call = Call::new(Method::POST, self.realm.clone(), origin, Vec::new());
        call.credentials = Some(None);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        call.body(kind, Payload::Bytes(Bytes::from(form)))
    }

    fn address(&self, scopes: &[Scope], origin: &Origin) -> Result<Uri, Error> {
        let mut path = self.realm.path().to_owned();
        let mut separator = '?';
        let mut push = |text: String| {
            path.push(separator);
            path.push_str(&text);
            separator = '&';
        };
        if let Some(query) = self.realm.query() {
            push(query.to_owned());
        }
        if let Some(service) = &self.service {
            push(format!("service={}", encode(service)));
        }
        for scope in scopes {
            push(format!("scope={}", encode(scope.as_str())));
        }
        origin.uri(&path)
    }
}
