//! Asks a directory who a name and a password are: find the one entry of that name, bind as it, read its groups.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use ldap3::adapters::EntriesOnly;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, SearchOptions,
};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wharf_core::authority::Secret;
use wharf_core::metadata::{ExternalName, MOST_GROUPS};

use super::entry::{Attributes, Entry, Groups};
use super::filter::Filter;
use super::servers::{ServerUrl, Servers};

/// The longest name and the longest password that a directory is asked about, in bytes.
const LONGEST_NAME: usize = 256;
const LONGEST_PASSWORD: usize = 1024;

/// Results of operations (RFC 4511, appendix A.1).
mod result {
    pub const SUCCESS: u32 = 0;
    pub const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub const NO_SUCH_OBJECT: u32 = 32;
    pub const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub const INVALID_CREDENTIALS: u32 = 49;
    pub const UNWILLING_TO_PERFORM: u32 = 53;
}

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

/// Somebody whose password was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who it is for ever.
    pub subject: ExternalName,
    /// What they are called there.
    pub name: String,
    /// Their address.
    pub mail: Option<String>,
    /// Their groups.
    pub groups: std::collections::BTreeSet<ExternalName>,
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

/// What went wrong with one server.
struct Fault(String);

impl<E: fmt::Display> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A directory.
pub struct Directory {
    asked: Arc<Asked>,
    places: Arc<Semaphore>,
}

struct Asked {
    settings: Settings,
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
        let is_password = (1..=LONGEST_PASSWORD).contains(&password.expose().len());
        let is_name = (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(char::is_control);
        if !is_password || !is_name {
            return Ok(None);
        }
        let waiting = Arc::clone(&self.places).acquire_owned();
        let place = timeout(self.asked.settings.timeout, waiting).await;
        let place = place.map_err(|_| DirectoryError::Busy)?.map_err(|_| DirectoryError::Busy)?;
        let (asked, name, password) = (Arc::clone(&self.asked), name.to_owned(), password.clone());
        // In a task of its own, which goes on to its end though its client be gone: who comes back finds it remembered.
        let asking = tokio::spawn(async move {
            let _place = place;
            asked.each_in_turn(&name, &password).await
        });
        asking.await.unwrap_or_else(|error| Err(DirectoryError::Away(error.to_string())))
    }
}

impl Asked {
    async fn each_in_turn(
        &self,
        name: &str,
        password: &Secret,
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

    async fn ask(
        &self,
        url: &ServerUrl,
        name: &str,
        password: &Secret,
    ) -> Result<Option<Found>, Fault> {
        let mut closed = false;
        let settings = LdapConnSettings::new()
            .set_config(Arc::clone(&self.settings.tls))
            .set_starttls(self.settings.start_tls);
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, url.as_str()).await?;
        // Moved along here and not in a task, so that it is closed when a login is given up, and its place is free.
        let mut driving = pin!(connection.drive());
        let mut logging_in = pin!(async {
            let found = self.log_in(&mut ldap, name, password).await;
            // It is of no use to anybody else: it may be bound as who logged in.
            let _ = ldap.unbind().await;
            found
        });
        loop {
            tokio::select! {
                biased;
                found = &mut logging_in => return found,
                // What the server said before it closed the connection is still to be looked at.
                _ = &mut driving, if !closed => closed = true,
            }
        }
    }

    async fn log_in(
        &self,
        ldap: &mut Ldap,
        name: &str,
        password: &Secret,
    ) -> Result<Option<Found>, Fault> {
        let Settings { attributes, groups: search, .. } = &self.settings;
        self.bind_service(ldap).await?;
        let Some(entry) = self.entry(ldap, name).await? else { return Ok(None) };
        if entry.dn.is_empty() {
            return Err(Fault(
                "the entry has no name: binding as it would be anonymous".to_owned(),
            ));
        }
        if !is_right(ldap.simple_bind(&entry.dn, password.expose()).await?)? {
            return Ok(None);
        }
        let subject = entry.subject(&attributes.subject).ok_or_else(|| {
            let attribute = &attributes.subject;
            format!("the entry {:?} has not one readable value of {attribute}", entry.dn)
        })?;
        let groups = match search {
            None => entry.groups(&attributes.member_of),
            Some(search) => {
                // Who logged in need not be allowed to read groups.
                self.bind_service(ldap).await?;
                let name = entry.name(&attributes.name).unwrap_or_default();
                groups(ldap, search, &name, &entry.dn).await?
            }
        };
        if groups.left_out {
            let taken = groups.names.len();
            tracing::warn!(
                entry = entry.dn,
                taken,
                "somebody is in groups that are not taken: too many, or names too long"
            );
        }
        let name = entry.name(&attributes.name).unwrap_or_else(|| name.to_owned());
        let mail = entry.mail(&attributes.mail);
        Ok(Some(Found { subject, name, mail, groups: groups.names }))
    }

    async fn bind_service(&self, ldap: &mut Ldap) -> Result<(), Fault> {
        let (dn, password) = match &self.settings.service {
            Some(service) => (service.dn.as_str(), service.password.expose()),
            None => ("", ""),
        };
        let bound = ldap.simple_bind(dn, password).await?;
        if bound.rc == result::SUCCESS {
            return Ok(());
        }
        Err(Fault(format!("the account {dn:?} that searches is refused: {bound}")))
    }

    /// The entry that a name is.
    async fn entry(&self, ldap: &mut Ldap, name: &str) -> Result<Option<Entry>, Fault> {
        let Settings { base, filter, attributes, .. } = &self.settings;
        let filter = filter.fill(name, "");
        let Attributes { subject, name: called, mail, member_of } = attributes;
        let wanted = [subject, called, mail, member_of].map(String::as_str);
        let (mut entries, ended) = search(ldap, base, &filter, &wanted, 1).await?;
        match (entries.pop(), ended) {
            (_, Ended::Cut) => {
                tracing::warn!(
                    filter,
                    "several entries of the directory have the name of one who logs in: nobody has it"
                );
                Ok(None)
            }
            (entry, Ended::Whole) => Ok(entry),
        }
    }
}

/// The groups that somebody is in, by a search.
async fn groups(
    ldap: &mut Ldap,
    groups: &GroupSearch,
    name: &str,
    dn: &str,
) -> Result<Groups, Fault> {
    // RFC 4511, section 4.5.1.8: no attribute at all.
    let wanted = groups.attribute.as_deref().unwrap_or("1.1");
    let filter = groups.filter.fill(name, dn);
    let (entries, ended) = search(ldap, &groups.base, &filter, &[wanted], MOST_GROUPS).await?;
    let mut found = Groups { left_out: matches!(ended, Ended::Cut), ..Groups::default() };
    for entry in entries {
        match &groups.attribute {
            None => found.add(&entry.dn),
            Some(attribute) => found.add(&entry.name(attribute).unwrap_or_default()),
        }
    }
    Ok(found)
}

/// Whether a search found all.
enum Ended {
    Whole,
    Cut,
}

/// The first `most` entries of a search below `base`. References to other directories are not followed.
async fn search(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    wanted: &[&str],
    most: usize,
) -> Result<(Vec<Entry>, Ended), Fault> {
    let limit = i32::try_from(most + 1).unwrap_or(i32::MAX);
    ldap.with_search_options(SearchOptions::new().sizelimit(limit));
    let adapter = EntriesOnly::new();
    let searching = ldap.streaming_search_with(adapter, base, Scope::Subtree, filter, wanted);
    let mut searching = searching.await?;
    let mut entries = Vec::new();
    while let Some(entry) = searching.next().await? {
        if entries.len() == most {
            return Ok((entries, Ended::Cut));
        }
        entries.push(Entry::from(SearchEntry::construct(entry)));
    }
    let ended = searching.finish().await;
    match ended.rc {
        result::SUCCESS => Ok((entries, Ended::Whole)),
        result::SIZE_LIMIT_EXCEEDED => Ok((entries, Ended::Cut)),
        _ => Err(Fault(format!("a search below {base:?} failed: {ended}"))),
    }
}

/// Whether a bind with somebody's password says that it is theirs.
fn is_right(bound: LdapResult) -> Result<bool, Fault> {
    match bound.rc {
        result::SUCCESS => Ok(true),
        // Wrong, has none, was removed meanwhile, or is locked.
        result::INVALID_CREDENTIALS
        | result::INAPPROPRIATE_AUTHENTICATION
        | result::NO_SUCH_OBJECT
        | result::UNWILLING_TO_PERFORM => {
            tracing::info!(reason = %bound, "the directory refuses a password");
            Ok(false)
        }
        _ => Err(LdapError::from(bound).into()),
    }
}
