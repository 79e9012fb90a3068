//! A directory: who a name and a password are by its word, asked of one of its servers after the other, and of a bounded number at once.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wharf_core::authority::Secret;
use wharf_core::metadata::ExternalName;

use super::conversation::Fault;
use super::entry::Attributes;
use super::filter::Filter;
use super::servers::{ServerUrl, Servers};

/// The longest name and the longest password that a directory is asked about, in bytes.
const LONGEST_NAME: usize = 256;
const LONGEST_PASSWORD: usize = 1024;

/// Who searches.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its distinguished name.
    pub dn: String,
    /// Its password.
    pub password: Secret,
}

/// How groups are found that entries do not list.
#[derive(Clone, Debug)]
pub struct GroupSearch {
    /// Where.
    pub base: String,
    /// Which of them somebody is in.
    pub filter: Filter,
    /// The attribute that names a group; without one, its distinguished name does.
    pub attribute: Option<String>,
}

/// A directory, and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its servers, the first to be asked first.
    pub servers: Vec<ServerUrl>,
    /// Whether TLS begins before anything else is said on servers of `ldap://`.
    pub start_tls: bool,
    /// Whose certificates are trusted.
    pub tls: Arc<ClientConfig>,
    /// How long one server may take for all of a login, and a login may wait for its turn.
    pub timeout: Duration,
    /// How many logins are looked at at once.
    pub at_once: usize,
    /// Who searches; nobody in particular without one.
    pub service: Option<ServiceAccount>,
    /// Where people are.
    pub base: String,
    /// Which entry a name is.
    pub filter: Filter,
    /// What its attributes mean.
    pub attributes: Attributes,
    /// How groups are found; without it, from the entry.
    pub groups: Option<GroupSearch>,
}

/// Somebody of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What their entry is called now.
    pub dn: String,
    /// Who it is for ever.
    pub subject: ExternalName,
    /// What they are called there.
    pub name: String,
    /// Their address.
    pub mail: Option<String>,
    /// Their groups.
    pub groups: BTreeSet<ExternalName>,
}

/// Why a directory could not say who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// It is asked about as many as it may be at once.
    #[error("as many logins as may be are waiting for the directory")]
    Busy,
    /// None of its servers gave an answer that can be used. The text is for operators.
    #[error("{0}")]
    Away(String),
}

/// A directory.
pub struct Directory {
    asked: Arc<Asked>,
    places: Arc<Semaphore>,
}

pub(super) struct Asked {
    pub(super) settings: Settings,
    servers: Servers,
}

impl Directory {
    /// The directory of these settings. It is not asked anything before somebody logs in.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let places = Arc::new(Semaphore::new(settings.at_once));
        let servers = Servers::new(settings.servers.clone());
        Self { asked: Arc::new(Asked { settings, servers }), places }
    }

    /// Who has this name and password; `None` where nobody has, or more than one has the name.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn find(
        &self,
        name: &str,
        password: &Secret,
    ) -> Result<Option<Found>, DirectoryError> {
        // An empty password would be no login but an anonymous one, and succeed (RFC 4513, section 5.1.2).
        if !(1..=LONGEST_PASSWORD).contains(&password.expose().len()) {
            return Ok(None);
        }
        self.person(name, Some(password.clone())).await
    }

    /// Who has this name, whatever their password: for operators.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn look_up(&self, name: &str) -> Result<Option<Found>, DirectoryError> {
        self.person(name, None).await
    }

    async fn person(
        &self,
        name: &str,
        password: Option<Secret>,
    ) -> Result<Option<Found>, DirectoryError> {
        if !(1..=LONGEST_NAME).contains(&name.len()) || name.contains(char::is_control) {
            return Ok(None);
        }
        let waiting = Arc::clone(&self.places).acquire_owned();
        let place = timeout(self.asked.settings.timeout, waiting).await;
        let place = place.map_err(|_| DirectoryError::Busy)?.map_err(|_| DirectoryError::Busy)?;
        let (asked, name) = (Arc::clone(&self.asked), name.to_owned());
        // In a task of its own, which goes on to its end though its client be gone: who comes back finds it remembered.
        let asking = tokio::spawn(async move {
            let _place = place;
            asked.each_in_turn(&name, password.as_ref()).await
        });
        asking.await.unwrap_or_else(|error| Err(DirectoryError::Away(error.to_string())))
    }
}

impl Asked {
    async fn each_in_turn(
        &self,
        name: &str,
        password: Option<&Secret>,
    ) -> Result<Option<Found>, DirectoryError> {
        let mut faults = Vec::new();
        for index in self.servers.in_order(Instant::now()) {
            let url = self.servers.url(index);
            let limit = self.settings.timeout;
            // The library panics over answers that are none.
            let asking = AssertUnwindSafe(self.ask(url, name, password)).catch_unwind();
            let answer = match timeout(limit, asking).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Fault("what it said is no LDAP".to_owned())),
                Err(_) => Err(Fault(format!("no answer within {limit:?}"))),
            };
            self.servers.note(index, answer.is_ok(), Instant::now());
            match answer {
                Ok(found) => return Ok(found),
                Err(Fault(fault)) => {
                    tracing::warn!(server = %url, fault, "a server of the directory cannot be used");
                    faults.push(format!("{url}: {fault}"));
                }
            }
        }
        Err(DirectoryError::Away(faults.join("; ")))
    }
}
