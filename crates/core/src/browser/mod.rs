//! Browsers: the secrets in their cookies, where they go on after a login, and the seam to who logs people in.

mod return_to;
mod secret;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;
use crate::authority::Secret;
use crate::metadata::{ProviderName, Session};

pub use return_to::{NoPath, ReturnTo};
pub use secret::{BrowserSecret, NoBrowserSecret, Purpose};

/// A browser that is logged in.
#[derive(Clone, Debug)]
pub struct Browsing {
    /// What it keeps.
    pub secret: BrowserSecret,
    /// Whose it is, and until when.
    pub session: Session,
}

impl Browsing {
    /// What every form of this browser carries, and every request of it that changes something: no other site's page
    /// can know it.
    #[must_use]
    pub fn form_token(&self) -> String {
        self.secret.derived(Purpose::Form)
    }

    /// Whether a text is that.
    #[must_use]
    pub fn is_form_token(&self, text: &str) -> bool {
        self.secret.is_derived(Purpose::Form, text)
    }
}

/// Where a request of a browser comes from, for limits and for the audit log.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// The address, as far as it can be trusted.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// An identity provider, as people choose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginProvider {
    /// Its name in paths.
    pub name: ProviderName,
    /// What it is called on its button.
    pub label: String,
}

/// What a provider answered through the browser.
#[derive(Clone, Debug)]
pub struct ProviderAnswer {
    /// To which question.
    pub state: String,
    /// What gets the ID token.
    pub code: Option<Secret>,
    /// Who answers, where the provider says so (RFC 9207).
    pub issuer: Option<String>,
    /// What went wrong there: a code of OAuth 2.0.
    pub error: Option<String>,
}

/// A login at a provider, as it was begun by a browser.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// At which provider.
    pub provider: ProviderName,
    /// What the browser keeps meanwhile: what the provider is asked and how it must answer follows from it.
    pub secret: BrowserSecret,
    /// The URL of this registry to which the provider sends the browser back.
    pub callback: String,
}

/// Why nobody was logged in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginRefusal {
    /// The name or the password is wrong, or who has them is disabled: which of it nobody is told.
    #[error("The name or the password is wrong.")]
    Credentials,
    /// Too many came from there, or failed: again after this time.
    #[error("Too many logins from there, or too many that failed. Wait, and try again.")]
    TooMany(Duration),
    /// Too many log in.
    #[error("Too many people log in right now. Try again in a moment.")]
    Busy,
    /// There is no such provider.
    #[error("This registry knows no such identity provider.")]
    UnknownProvider,
    /// What came back is no answer to what this browser asked a short time ago.
    #[error("This login was begun too long ago, or in another browser. Begin again.")]
    Stale,
    /// The provider did not let them in, by a code of OAuth 2.0.
    #[error("The identity provider did not log you in.")]
    Denied,
    /// The provider knows them, and they may not use this registry.
    #[error("You may not use this registry: ask its administrator.")]
    NotAllowed,
    /// The provider cannot be reached, or what it says is not to be believed. The log says why.
    #[error("The identity provider cannot be used right now. The registry's log says why.")]
    Provider,
    /// A store failed.
    #[error("The registry cannot reach one of its stores right now.")]
    Store(#[from] StoreError),
}

/// Logs people in who have a browser. Each login is a new session with a new secret.
#[async_trait]
pub trait BrowserLogin: Send + Sync + 'static {
    /// The identity providers that people may choose.
    fn providers(&self) -> Vec<LoginProvider>;

    /// Whether people may log in by a password too.
    fn takes_passwords(&self) -> bool;

    /// Logs in by name and password. The secret is that of the new session.
    async fn log_in(
        &self,
        name: String,
        password: Secret,
        from: Visit,
    ) -> Result<BrowserSecret, LoginRefusal>;

    /// The address at the provider where a browser is sent that begins to log in there.
    async fn begin(&self, attempt: &Attempt, from: Visit) -> Result<String, LoginRefusal>;

    /// Logs in by what the provider answered. The secret is that of the new session.
    async fn finish(
        &self,
        attempt: &Attempt,
        answer: ProviderAnswer,
        from: Visit,
    ) -> Result<BrowserSecret, LoginRefusal>;

    /// Counts that a client shows what may be a session's secret: to look for it costs as much whether it is one or not.
    /// As often as it may ask for tokens; else how long it has to wait.
    async fn admit(&self, from: Visit) -> Result<(), Duration>;

    /// The session of a secret, if it goes on.
    async fn session(&self, secret: &BrowserSecret) -> Result<Option<Session>, StoreError>;

    /// Ends a session.
    async fn log_out(&self, secret: &BrowserSecret) -> Result<(), StoreError>;
}
