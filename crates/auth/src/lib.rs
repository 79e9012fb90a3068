//! Who somebody is and what they may do: keys, tokens, passwords, and the decision.
//!
//! Nothing here serves HTTP or knows SQL: the token's end-point is in `wharf-http`, accounts and grants are behind the
//! traits of [`wharf_core::metadata`].

pub mod admission;
pub mod browser_login;
pub mod decision;
pub mod device_login;
pub mod fact_cache;
pub mod issuer;
pub mod key_store;
pub mod keys;
pub mod ldap;
pub mod login_guard;
pub mod making;
pub mod oidc;
pub mod password;
pub mod recorded;
pub mod scope;
pub mod secret;
pub mod sign_in;
mod signing;
mod spelling;
pub mod tls;
pub mod token;
pub mod workload;
