//! What is known of each registry's way to ask who one is, and the tokens got so far.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;

use super::challenge::Challenge;
use super::token::{Token, TokenServer};
use super::{Credentials, KnownCredentials, Scope};
use crate::Error;
use crate::connection::{Client, Origin};

/// The most tokens kept for one registry; past it, all are fetched anew.
const MAX_TOKENS: usize = 256;

pub(crate) struct Authenticator {
    credentials: KnownCredentials,
    registries: SyncMutex<HashMap<Origin, Arc<Mutex<Way>>>>,
}

/// How a registry wants to know who one is. Locked while a token is fetched, so that it is fetched once.
#[derive(Default)]
struct Way {
    kind: Kind,
    /// The credentials, once they were looked for.
    credentials: Option<Option<Credentials>>,
    tokens: HashMap<Vec<Scope>, Token>,
}

#[derive(Default)]
enum Kind {
    /// It never asked.
    #[default]
    Open,
    Basic,
    Bearer(TokenServer),
}

/// What to do about a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenged {
    /// Another try has better credentials.
    TryAgain,
    /// There are no better ones.
    GiveUp,
}

impl Authenticator {
    pub(crate) fn new(credentials: KnownCredentials) -> Self {
        Self { credentials, registries: SyncMutex::default() }
    }

    /// Whether credentials are known for a registry.
    pub(crate) async fn knows(&self, registry: &Origin) -> Result<bool, Error> {
        let way = self.way(registry);
        let mut way = way.lock().await;
        Ok(self.credentials(registry, &mut way).await?.is_some())
    }

    /// The credentials that are known for a registry.
    pub(crate) async fn known(&self, registry: &Origin) -> Result<Option<Credentials>, Error> {
        let way = self.way(registry);
        let mut way = way.lock().await;
        self.credentials(registry, &mut way).await
    }

    /// The credentials for a registry. A credential helper is asked for them once.
    async fn credentials(
        &self,
        registry: &Origin,
        way: &mut Way,
    ) -> Result<Option<Credentials>, Error> {
        if way.credentials.is_none() {
            way.credentials = Some(self.credentials.find(&registry.to_string()).await?);
        }
        Ok(way.credentials.clone().flatten())
    }

    fn way(&self, registry: &Origin) -> Arc<Mutex<Way>> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(registries.entry(registry.clone()).or_default())
    }

    /// The `Authorization` for a request, as far as the registry asked for one before.
    pub(crate) async fn authorization(
        &self,
        client: &Client,
        registry: &Origin,
        scopes: &[Scope],
    ) -> Result<Option<HeaderValue>, Error> {
        let way = self.way(registry);
        let mut way = way.lock().await;
        if matches!(way.kind, Kind::Open) {
            return Ok(None);
        }
        let credentials = self.credentials(registry, &mut way).await?;
        let Way { kind, tokens, .. } = &mut *way;
        let Kind::Bearer(server) = kind else {
            return Ok(credentials.as_ref().and_then(Credentials::header));
        };
        if let Some(token) = tokens.get(scopes).filter(|token| token.is_good()) {
            return Ok(Some(token.header.clone()));
        }
        let token = server.fetch(client, registry, scopes, credentials.as_ref()).await?;
        let header = token.header.clone();
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(scopes.to_vec(), token);
        Ok(Some(header))
    }

    /// Learns from a 401. Scopes that the registry names are added to those asked for.
    pub(crate) async fn challenged(
        &self,
        registry: &Origin,
        headers: &HeaderMap,
        scopes: &mut Vec<Scope>,
        sent: Option<&HeaderValue>,
    ) -> Result<Challenged, Error> {
        let way = self.way(registry);
        let mut way = way.lock().await;
        Ok(match Challenge::of(headers) {
            None => Challenged::GiveUp,
            Some(Challenge::Basic) => {
                way.kind = Kind::Basic;
                if sent.is_none() && self.credentials(registry, &mut way).await?.is_some() {
                    Challenged::TryAgain
                } else {
                    Challenged::GiveUp
                }
            }
            Some(Challenge::Bearer { realm, service, scope }) => {
                let Some(server) = TokenServer::new(registry, &realm, service) else {
                    return Ok(Challenged::GiveUp);
                };
                // A token that was refused is not tried again.
                way.tokens.retain(|_, token| Some(&token.header) != sent);
                way.kind = Kind::Bearer(server);
                for wanted in scope.iter().flat_map(|scope| scope.split(' ')) {
                    let is_covered = scopes.iter().any(|scope| covers(scope.as_str(), wanted));
                    if !wanted.is_empty() && !is_covered && scopes.len() < 8 {
                        scopes.push(Scope::other(wanted));
                    }
                }
                Challenged::TryAgain
            }
        })
    }
}

/// Whether `held` allows all that `wanted` does: `repository:a:pull,push` covers `repository:a:pull`.
fn covers(held: &str, wanted: &str) -> bool {
    match (held.rsplit_once(':'), wanted.rsplit_once(':')) {
        (Some((held_name, held)), Some((wanted_name, wanted))) => {
            held_name == wanted_name
                && wanted.split(',').all(|action| held.split(',').any(|has| has == action))
        }
        _ => held == wanted,
    }
}
