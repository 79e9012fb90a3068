//! The conversation with one server: bind as who searches, find the entry of a name, bind as it, read its groups.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use ldap3::adapters::EntriesOnly;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, SearchOptions,
};
use wharf_core::authority::Secret;
use wharf_core::metadata::MOST_GROUPS;

use super::directory::{Asked, Found, GroupSearch, Settings};
use super::entry::{Attributes, Entry, Groups};
use super::servers::ServerUrl;

/// Results of operations (RFC 4511, appendix A.1).
mod result {
    pub const SUCCESS: u32 = 0;
    pub const TIME_LIMIT_EXCEEDED: u32 = 3;
    pub const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub const STRONGER_AUTH_REQUIRED: u32 = 8;
    pub const REFERRAL: u32 = 10;
    pub const CONFIDENTIALITY_REQUIRED: u32 = 13;
    pub const BUSY: u32 = 51;
    pub const UNAVAILABLE: u32 = 52;
    pub const OTHER: u32 = 80;
}

/// What went wrong with one server.
pub(super) struct Fault(pub(super) String);

impl<E: fmt::Display> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Asked {
    /// Who has the name at one server, and the password where one is given.
    pub(super) async fn ask(
        &self,
        url: &ServerUrl,
        name: &str,
        password: Option<&Secret>,
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
        password: Option<&Secret>,
    ) -> Result<Option<Found>, Fault> {
        let Settings { attributes, groups: search, .. } = &self.settings;
        self.bind_service(ldap).await?;
        let Some(entry) = self.entry(ldap, name).await? else { return Ok(None) };
        if entry.dn.is_empty() {
            return Err(Fault(
                "the entry has no name: binding as it would be anonymous".to_owned(),
            ));
        }
        if let Some(password) = password
            && !is_right(ldap.simple_bind(&entry.dn, password.expose()).await?)?
        {
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
        Ok(Some(Found { dn: entry.dn, subject, name, mail, groups: groups.names }))
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

/// Whether a bind with somebody's password says that it is theirs. What does not speak of the server is said of them: each
/// directory has results of its own for accounts that are locked or have to change their password.
fn is_right(bound: LdapResult) -> Result<bool, Fault> {
    match bound.rc {
        result::SUCCESS => Ok(true),
        result::TIME_LIMIT_EXCEEDED
        | result::STRONGER_AUTH_REQUIRED
        | result::REFERRAL
        | result::CONFIDENTIALITY_REQUIRED
        | result::BUSY
        | result::UNAVAILABLE
        | result::OTHER => Err(LdapError::from(bound).into()),
        _ => {
            tracing::info!(reason = %bound, "the directory refuses a password");
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(rc: u32) -> LdapResult {
        let (matched, text) = (String::new(), String::new());
        LdapResult { rc, matched, text, refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn a_bind_that_does_not_speak_of_the_server_refuses_the_password() {
        assert!(matches!(is_right(bound(0)), Ok(true)));
        // 19 is what 389 Directory Server says of an account that is locked.
        for refused in [19, 32, 48, 49, 50, 53] {
            assert!(matches!(is_right(bound(refused)), Ok(false)), "{refused}");
        }
        for away in [3, 8, 10, 13, 51, 52, 80] {
            assert!(is_right(bound(away)).is_err(), "{away}");
        }
    }
}
