//! Logins by a directory, whole: OpenLDAP's server, the registry, and what `/token` says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "ldap/away.rs"]
mod away;
#[path = "identity/browser.rs"]
mod browser;
#[path = "ldap/groups.rs"]
mod groups;
#[path = "access/house.rs"]
mod house;
#[path = "ldap/logins.rs"]
mod logins;
#[path = "ldap/stand.rs"]
mod stand;
#[path = "ldap/tls.rs"]
mod tls;
