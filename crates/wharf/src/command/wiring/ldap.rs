//! Logins by a directory, where a configuration names one.

use std::sync::Arc;

use anyhow::{Context, ensure};
use wharf_auth::ldap::login::{DirectoryLogins, LoginRules};
use wharf_auth::ldap::{Attributes, Directory, GroupSearch, ServiceAccount, Settings};
use wharf_auth::tls::trusting;
use wharf_core::authority::Secret;
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{Accounts, Identities};

use crate::config::{Config, Ldap, sends_passwords_in_the_clear};

/// Who logs people in by a directory; `None` where none is named. It may be away: nobody asks it before somebody logs in.
pub fn open(
    config: &Config,
    identities: Arc<dyn Identities>,
    accounts: Arc<dyn Accounts>,
) -> anyhow::Result<Option<DirectoryLogins>> {
    let ldap = &config.ldap;
    let Some(directory) = directory(config)? else { return Ok(None) };
    if sends_passwords_in_the_clear(ldap) {
        tracing::warn!(
            "passwords are sent to the directory IN THE CLEAR (ldap.plaintext): everyone on the way can read them"
        );
    }
    let rules = LoginRules {
        provider: ldap.provider.clone(),
        may_create: ldap.create_users,
        required_group: ldap.required_group.0.clone(),
        remember: ldap.remember.get(),
    };
    Ok(Some(DirectoryLogins::new(directory, rules, identities, accounts, &SystemRandom)))
}

/// The directory; `None` where none is named.
pub fn directory(config: &Config) -> anyhow::Result<Option<Directory>> {
    let ldap = &config.ldap;
    if ldap.urls.is_empty() { Ok(None) } else { Ok(Some(Directory::new(settings(ldap)?))) }
}

fn settings(ldap: &Ldap) -> anyhow::Result<Settings> {
    let ca_file = ldap.ca_file.0.as_ref().map(AsRef::as_ref);
    let groups = ldap.group_base.0.clone().map(|base| GroupSearch {
        base,
        filter: ldap.group_filter.clone(),
        attribute: ldap.group_attribute.0.as_ref().map(|it| it.as_str().to_owned()),
    });
    Ok(Settings {
        servers: ldap.urls.to_vec(),
        start_tls: ldap.start_tls,
        tls: trusting(ca_file).context("ldap.ca_file")?,
        timeout: ldap.timeout.get(),
        at_once: ldap.at_once.get(),
        service: service(ldap)?,
        base: ldap.base.0.clone().context("ldap.base")?,
        filter: ldap.filter.clone(),
        attributes: Attributes {
            subject: ldap.subject_attribute.as_str().to_owned(),
            name: ldap.name_attribute.as_str().to_owned(),
            mail: ldap.mail_attribute.as_str().to_owned(),
            member_of: ldap.member_of_attribute.as_str().to_owned(),
        },
        groups,
    })
}

/// The account that searches.
fn service(ldap: &Ldap) -> anyhow::Result<Option<ServiceAccount>> {
    let Some(dn) = ldap.bind_dn.0.clone() else { return Ok(None) };
    let password = match (&ldap.bind_password.0, &ldap.bind_password_file.0) {
        (Some(password), _) => password.secret().clone(),
        (None, file) => {
            let file = file.as_ref().context("ldap.bind_password_file")?;
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{file} cannot be read (ldap.bind_password_file)"))?;
            Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    ensure!(!password.expose().is_empty(), "the password of ldap.bind_dn is empty");
    Ok(Some(ServiceAccount { dn, password }))
}
