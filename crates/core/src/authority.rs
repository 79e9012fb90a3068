//! The seam to who verifies access tokens, and to who issues them.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;
use crate::permissions::{AccountName, Caller};

/// A password or a token on its way. It prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// What somebody sent.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// An access token is no good: forged, of another registry, or its time has passed. Clients are told no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid, or not any more")]
pub struct BadToken;

/// Verifies access tokens, by public keys alone.
pub trait TokenVerifier: Send + Sync + 'static {
    /// Who a token is of, with what it grants.
    ///
    /// # Errors
    /// [`BadToken`].
    fn verify(&self, token: &str) -> Result<Caller, BadToken>;
}

/// How somebody says who they are.
#[derive(Clone, Debug)]
pub enum Login {
    /// With a name, and a password or a machine's secret.
    Name {
        /// The name: a user's, or `namespace+robot`.
        name: String,
        /// The password, personal token or robot secret.
        secret: Secret,
    },
    /// With the token of another issuer, by which a workload stands for a robot.
    Workload {
        /// `namespace+robot`.
        robot: String,
        /// The token.
        token: Secret,
    },
    /// By what an earlier login left.
    RefreshToken(Secret),
    /// With a personal token or a robot's secret alone: it says whose it is.
    Machine(Secret),
}

/// Asks for an access token.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Who asks; nobody in particular without it.
    pub login: Option<Login>,
    /// What for, as clients write it.
    pub scopes: Vec<String>,
    /// Whether a refresh token is wanted too.
    pub offline: bool,
    /// What the client calls itself, for the name of the refresh token.
    pub client: String,
    /// Where it comes from, as far as that can be trusted.
    pub address: Option<IpAddr>,
}

/// What was issued.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The access token.
    pub access: Secret,
    /// When, in seconds since 1970-01-01 UTC.
    pub issued_at: u64,
    /// For how long.
    pub life: Duration,
    /// What it grants, in the form of scopes.
    pub scope: String,
    /// What gets the next one.
    pub refresh: Option<Secret>,
}

/// Why no token was issued.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenRefusal {
    /// The name, the password or the token is wrong, or who has them is disabled: which of it nobody is told.
    #[error("the name or the secret is wrong")]
    Login,
    /// What is asked for cannot be read.
    #[error("{0}")]
    Scope(String),
    /// Too many came from there, or failed: again after this time.
    #[error("too many logins from there, or too many that failed: wait, and try again")]
    TooMany(Duration),
    /// Too many log in.
    #[error("{0}")]
    Busy(&'static str),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Issues access tokens.
#[async_trait]
pub trait TokenIssuer: Send + Sync + 'static {
    /// Issues a token that grants what is asked for as far as who asks may have it.
    ///
    /// # Errors
    /// [`TokenRefusal`]. What may not be granted is none: it is left out.
    async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, TokenRefusal>;

    /// The public keys as a JWK set (RFC 7517).
    fn published_keys(&self) -> String;
}

/// Says who somebody is, for one request and without a token.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Who logs in, and the most that their secret is good for. They have no rights of a token: what they may do is
    /// asked of the accounts. `address` is where the request comes from, as far as that can be trusted.
    ///
    /// # Errors
    /// [`TokenRefusal`], but [`TokenRefusal::Scope`].
    async fn authenticate(
        &self,
        login: Login,
        address: Option<IpAddr>,
    ) -> Result<Caller, TokenRefusal>;
}

/// Why a password is not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PasswordRefusal {
    /// It is one that must not be chosen. The text says why.
    #[error("{0}")]
    Unfit(String),
    /// As many as may are being hashed.
    #[error("as many passwords are being checked as this registry takes at once")]
    Busy,
    /// Hashing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A secret that was made, for the one reply that shows it, with what is kept of it.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The secret.
    pub secret: Secret,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What a made secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretUse {
    /// A user's token.
    PersonalToken,
    /// A robot.
    Robot,
    /// An invitation to sign up.
    Invitation,
}

/// Makes what accounts are given, and of what is kept a hash alone.
#[async_trait]
pub trait Secrets: Send + Sync + 'static {
    /// The hash of a password that the user of that name chooses.
    ///
    /// # Errors
    /// [`PasswordRefusal`].
    async fn hash_password(
        &self,
        user: &AccountName,
        password: &Secret,
    ) -> Result<String, PasswordRefusal>;

    /// A new secret.
    fn new_secret(&self, what_for: SecretUse) -> NewSecret;

    /// Whether a secret is of the form of one that is made here, and so no password.
    fn is_made(&self, secret: &Secret) -> bool;

    /// The hash of an invitation's secret that somebody sent; `None` where it is none by its form.
    fn invitation_hash(&self, secret: &Secret) -> Option<[u8; 32]>;
}
