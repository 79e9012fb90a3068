//! OpenID Connect: people who log in at an identity provider, by the authorization code flow (OpenID Connect Core 1.0,
//! section 3.1) with PKCE (RFC 7636).

pub mod claims;
mod exchange;
mod id_token;
pub mod provider;
