//! Logins by a directory (LDAP version 3, RFC 4511): OpenLDAP, Active Directory, FreeIPA and others.

mod conversation;
mod directory;
mod entry;
mod filter;
pub mod login;
mod memory;
mod servers;

pub use directory::{Directory, DirectoryError, Found, GroupSearch, ServiceAccount, Settings};
pub use entry::Attributes;
pub use filter::{BadFilter, Filter};
pub use servers::{BadServerUrl, ServerUrl};
