//! Logs people in who have a browser: by a password, or at an identity provider. Each login is a session of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use wharf_core::StoreError;
use wharf_core::access::Narrowing;
use wharf_core::actor::Actor;
use wharf_core::authority::{Authenticator, Login, Secret, TokenRefusal};
use wharf_core::browser::{
    Attempt, BrowserLogin, BrowserSecret, LoginProvider, LoginRefusal, ProviderAnswer, Visit,
};
use wharf_core::clock::Random;
use wharf_core::metadata::{
    AuditEntry, AuditLog, AuditOutcome, Change, ExternalIdentity, ExternalName, Identities,
    NewSession, ProviderName, Session, Sessions, SignInOutcome,
};
use wharf_core::permissions::{AccountName, Principal};

use crate::admission::Admission;
use crate::oidc::provider::{OidcError, Provider};
use crate::secret::MachineSecret;

/// How many answers of providers are looked at at once, by all clients: each asks a provider for some seconds at most.
pub const MOST_ASKED: usize = 64;

/// What failures of a client count as, here and where the [`LoginGuard`](crate::login_guard::LoginGuard) stands.
const FAILURE: &str = "fail";

/// Logs people in.
pub struct BrowserLogins {
    /// Who knows passwords; nobody where none are taken.
    pub passwords: Option<Arc<dyn Authenticator>>,
    /// The identity providers, in the order of their buttons.
    pub providers: Vec<Provider>,
    /// Whose identity is whose.
    pub identities: Arc<dyn Identities>,
    /// Who is logged in.
    pub sessions: Arc<dyn Sessions>,
    /// Where is written down who might not log in.
    pub audit: Arc<dyn AuditLog>,
    /// How often somebody may ask a provider.
    pub admission: Arc<Admission>,
    /// How often answers of providers may be none, with all else by which one client fails to log in.
    pub failures: Admission,
    /// Places for answers that are looked at, [`MOST_ASKED`] of them.
    pub asked: Semaphore,
    /// How long a session lasts at most.
    pub life: Duration,
    /// How long it lasts without being used.
    pub idle: Duration,
    /// The chance in secrets.
    pub random: Arc<dyn Random>,
}

#[async_trait]
impl BrowserLogin for BrowserLogins {
    fn providers(&self) -> Vec<LoginProvider> {
        self.providers.iter().map(Provider::shown).collect()
    }

    fn takes_passwords(&self) -> bool {
        self.passwords.is_some()
    }

    async fn log_in(
        &self,
        name: String,
        password: Secret,
        from: Visit,
    ) -> Result<BrowserSecret, LoginRefusal> {
        let passwords = self.passwords.as_ref().ok_or(LoginRefusal::Credentials)?;
        // A session may do all that its user may. Secrets of machines are good for less, and are refused unseen.
        if MachineSecret::recognise(password.expose()).is_some() {
            return Err(LoginRefusal::Credentials);
        }
        let login = Login::Name { name, secret: password };
        let caller = passwords.authenticate(login, from.address).await.map_err(refusal)?;
        match caller.principal {
            Principal::User(user) if caller.most == Narrowing::WHOLE => {
                self.start(user, caller.provider, from).await
            }
            _ => Err(LoginRefusal::Credentials),
        }
    }

    async fn begin(&self, attempt: &Attempt, from: Visit) -> Result<String, LoginRefusal> {
        let provider = self.find(&attempt.provider)?;
        let admitted = self.admission.admit("login", from.address).await;
        admitted.map_err(LoginRefusal::TooMany)?;
        let begun = provider.begin(attempt).await;
        begun.map_err(|error| told(&attempt.provider, &error))
    }

    async fn finish(
        &self,
        attempt: &Attempt,
        answer: ProviderAnswer,
        from: Visit,
    ) -> Result<BrowserSecret, LoginRefusal> {
        let provider = self.find(&attempt.provider)?;
        let admitted = self.admission.admit("login", from.address).await;
        admitted.map_err(LoginRefusal::TooMany)?;
        let place = self.asked.try_acquire().map_err(|_| LoginRefusal::Busy)?;
        // Taken before the provider is asked: an answer can be made up, with the cookie that it belongs to.
        let admitted = self.failures.admit(FAILURE, from.address).await;
        admitted.map_err(LoginRefusal::TooMany)?;
        let finished = provider.finish(attempt, &answer).await;
        drop(place);
        if !matches!(finished, Err(OidcError::Stale | OidcError::Provider(_))) {
            self.failures.give_back(FAILURE, from.address).await;
        }
        match finished {
            Ok(identity) => {
                let may_create = provider.settings.create_users;
                let user = self.sign_in(identity, may_create, &from).await?;
                self.start(user, Some(attempt.provider.clone()), from).await
            }
            Err(error) => {
                if let OidcError::NotAllowed { subject, .. } = &error {
                    self.write_down(&attempt.provider, subject, &from).await?;
                }
                Err(told(&attempt.provider, &error))
            }
        }
    }

    async fn admit(&self, from: Visit) -> Result<(), Duration> {
        self.admission.admit("token", from.address).await
    }

    async fn session(&self, secret: &BrowserSecret) -> Result<Option<Session>, StoreError> {
        self.sessions.find_session(secret.hash()).await
    }

    async fn log_out(&self, secret: &BrowserSecret) -> Result<(), StoreError> {
        self.sessions.end_session(secret.hash()).await.map(drop)
    }
}

impl BrowserLogins {
    fn find(&self, name: &ProviderName) -> Result<&Provider, LoginRefusal> {
        let found = self.providers.iter().find(|provider| provider.settings.name == *name);
        found.ok_or(LoginRefusal::UnknownProvider)
    }

    /// The user of an identity, who may log in.
    async fn sign_in(
        &self,
        identity: ExternalIdentity,
        may_create: bool,
        from: &Visit,
    ) -> Result<AccountName, LoginRefusal> {
        let (provider, subject) = (identity.provider.clone(), identity.subject.clone());
        let outcome = self.identities.sign_in(identity, may_create, from.address).await?;
        let why = match outcome {
            SignInOutcome::Known(user) => return Ok(user),
            SignInOutcome::Created(user) => {
                tracing::info!(%provider, %user, "an identity provider's user came for the first time");
                return Ok(user);
            }
            SignInOutcome::Disabled => "their user is disabled",
            SignInOutcome::Unknown => "nobody has the identity, and oidc.create_users makes none",
            SignInOutcome::NamesTaken => "all the names that they could get are others'",
        };
        tracing::info!(%provider, %subject, why, "somebody may not log in");
        self.write_down(&provider, &subject, from).await?;
        Err(LoginRefusal::NotAllowed)
    }

    /// Says in the audit log that somebody might not log in.
    async fn write_down(
        &self,
        provider: &ProviderName,
        subject: &ExternalName,
        from: &Visit,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry {
            by: actor(&Principal::Anonymous, from),
            action: "login".to_owned(),
            target: "unknown".to_owned(),
            namespace: None,
            outcome: AuditOutcome::Denied,
            detail: format!("provider={provider} subject={}", subject.in_a_word()),
        };
        self.audit.append_audit(entry).await
    }

    async fn start(
        &self,
        user: AccountName,
        provider: Option<ProviderName>,
        from: Visit,
    ) -> Result<BrowserSecret, LoginRefusal> {
        let secret = BrowserSecret::new(&*self.random);
        let session = NewSession {
            by: actor(&Principal::User(user.clone()), &from),
            user,
            secret_hash: secret.hash(),
            provider,
            life: self.life,
            idle: self.idle,
        };
        match self.sessions.start_session(session).await? {
            Change::Done => Ok(secret),
            // Disabled or taken away a moment ago.
            _ => Err(LoginRefusal::NotAllowed),
        }
    }
}

fn actor(principal: &Principal, from: &Visit) -> Actor {
    let Visit { address, request_id } = from.clone();
    Actor { address, request_id, ..Actor::from(principal) }
}

/// What people are told; the rest is for the log.
fn told(provider: &ProviderName, error: &OidcError) -> LoginRefusal {
    match error {
        OidcError::Stale => return LoginRefusal::Stale,
        OidcError::Denied(_) | OidcError::NotAllowed { .. } => {
            tracing::info!(%provider, %error, "nobody was logged in at an identity provider");
        }
        _ => tracing::warn!(%provider, %error, "nobody can be logged in at an identity provider"),
    }
    match error {
        OidcError::Denied(_) => LoginRefusal::Denied,
        OidcError::NotAllowed { .. } => LoginRefusal::NotAllowed,
        _ => LoginRefusal::Provider,
    }
}

fn refusal(refusal: TokenRefusal) -> LoginRefusal {
    match refusal {
        TokenRefusal::Login | TokenRefusal::Scope(_) => LoginRefusal::Credentials,
        TokenRefusal::TooMany(wait) => LoginRefusal::TooMany(wait),
        TokenRefusal::Busy(_) => LoginRefusal::Busy,
        TokenRefusal::Store(fault) => LoginRefusal::Store(fault),
    }
}
