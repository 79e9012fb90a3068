//! Signing in: from a name and a secret to who somebody is, and to a token that grants what they may have.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::Narrowing;
use wharf_core::actor::Actor;
use wharf_core::authority::{
    Authenticator, BadToken, IssuedToken, Login, Secret, TokenIssuer, TokenRefusal, TokenRequest,
    TokenVerifier,
};
use wharf_core::clock::{Clock, Random, Timestamp};
use wharf_core::metadata::{
    Accounts, Change, ChangeRequest, NewToken, ProviderName, SecretHolder, TokenKind, User,
};
use wharf_core::permissions::{AccountName, Actions, Caller, Principal, Rights, RobotName};
use wharf_oci::RepositoryName;

use crate::decision;
use crate::fact_cache::FactCache;
use crate::key_store::KeyStore;
use crate::ldap::login::DirectoryLogins;
use crate::password::{HashError, Password, Passwords};
use crate::scope;
use crate::secret::{MachineSecret, SecretKind};
use crate::token::{self, Authority, Verifier};
use crate::workload::login::{Trusted, WorkloadLogins};
use crate::workload::verification::Workloads;

/// How long a refresh token works.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The longest name of a client that is kept.
const LONGEST_CLIENT: usize = 100;

/// Verifies tokens by the keys of a folder.
pub struct Tokens {
    keys: Arc<KeyStore>,
    verifier: Verifier,
}

impl Tokens {
    /// Those of `authority`, signed by `keys`.
    pub fn new(keys: Arc<KeyStore>, authority: Authority, clock: Arc<dyn Clock>) -> Self {
        Self { keys, verifier: Verifier::new(authority, clock) }
    }
}

impl TokenVerifier for Tokens {
    fn verify(&self, token: &str) -> Result<Caller, BadToken> {
        self.verifier.verify(&self.keys.current(), token).map_err(|error| {
            tracing::debug!(%error, "an access token was refused");
            BadToken
        })
    }
}

/// Issues tokens.
pub struct SignIn {
    /// Who there is.
    pub accounts: Arc<dyn Accounts>,
    /// What they may do, by facts that may be a little old where that is wanted.
    pub facts: FactCache,
    /// What signs.
    pub keys: Arc<KeyStore>,
    /// Whose tokens they are.
    pub authority: Authority,
    /// Hashes.
    pub passwords: Passwords,
    /// The time in tokens.
    pub clock: Arc<dyn Clock>,
    /// The chance in them.
    pub random: Arc<dyn Random>,
    /// Logs workloads in, where issuers are trusted.
    pub workloads: Option<WorkloadLogins>,
    /// Logs people in by a directory, where there is one.
    pub directory: Option<DirectoryLogins>,
}

/// Who signed in, and what their secret narrows that to.
struct SignedIn {
    principal: Principal,
    most: Option<Narrowing>,
    /// Until when that works, where it ends.
    expires_at: Option<Timestamp>,
    /// The workload that stands for the robot, where one does.
    workload: Option<Trusted>,
    /// The identity provider by whose word they came: the directory that was asked, or the one that the token was made by. A
    /// directory does not tell when somebody leaves, so that they come back with their password.
    provider: Option<ProviderName>,
}

impl SignedIn {
    const fn fully(principal: Principal) -> Self {
        Self { principal, most: None, expires_at: None, workload: None, provider: None }
    }

    /// Whether the secret narrows nothing.
    fn is_whole(&self) -> bool {
        self.most.as_ref().is_none_or(|most| *most == Narrowing::WHOLE)
    }

    /// Of actions that its principal may do, those for which the secret is good.
    fn narrowed(&self, repository: &RepositoryName, actions: Actions) -> Actions {
        let Some(most) = &self.most else { return actions };
        let covered = |action: &_| most.covers(repository, decision::needed(*action));
        actions.iter().filter(covered).collect()
    }
}

impl From<SecretHolder> for SignedIn {
    fn from(holder: SecretHolder) -> Self {
        let SecretHolder { principal, most, expires_at, provider, .. } = holder;
        Self { most: Some(most), expires_at, provider, ..Self::fully(principal) }
    }
}

#[async_trait]
impl TokenIssuer for SignIn {
    async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, TokenRefusal> {
        let wanted = scope::parse(request.scopes.iter().map(String::as_str));
        let wanted = wanted.map_err(|error| TokenRefusal::Scope(error.to_string()))?;
        let signed_in = match &request.login {
            Some(login) => self.sign_in(login, request.address).await?,
            None => SignedIn::fully(Principal::Anonymous),
        };
        let (rights, age) = self.granted(&signed_in, wanted).await?;
        let keys = self.keys.current();
        let issued = token::issue(
            &keys,
            &self.authority_for(&signed_in, age)?,
            &signed_in.principal,
            &rights,
            &*self.clock,
            &*self.random,
        );
        let issued = issued.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let refresh = match (&signed_in, &request.login) {
            (SignedIn { principal: Principal::User(user), most: None, provider: None, .. }, _)
                if request.offline =>
            {
                Some(self.refresh_token(user, &request.client).await?)
            }
            (SignedIn { workload: Some(workload), .. }, _) if request.offline => {
                self.workload_refresh_token(workload).await?
            }
            // The same one goes on, as clients expect that keep it.
            (_, Some(Login::RefreshToken(token))) => Some(token.clone()),
            _ => None,
        };
        let texts = rights.repositories.iter().map(|(name, actions)| scope::needed(name, *actions));
        Ok(IssuedToken {
            access: Secret::new(issued.text),
            issued_at: issued.issued_at,
            life: issued.life,
            scope: texts.collect::<Vec<_>>().join(" "),
            refresh,
        })
    }

    fn published_keys(&self) -> String {
        serde_json::to_string(self.keys.current().published()).unwrap_or_default()
    }
}

#[async_trait]
impl Authenticator for SignIn {
    async fn authenticate(
        &self,
        login: Login,
        address: Option<IpAddr>,
    ) -> Result<Caller, TokenRefusal> {
        let signed_in = self.sign_in(&login, address).await?;
        let SignedIn { principal, most, expires_at, provider, .. } = signed_in;
        let most = most.unwrap_or(Narrowing::WHOLE);
        Ok(Caller { most, expires_at, provider, ..Caller::new(principal) })
    }
}

impl SignIn {
    async fn sign_in(
        &self,
        login: &Login,
        address: Option<IpAddr>,
    ) -> Result<SignedIn, TokenRefusal> {
        let (name, secret) = match login {
            Login::Name { name, secret } => (name, secret),
            Login::Workload { robot, token } => return self.workload(robot, token).await,
            Login::RefreshToken(secret) => return self.refreshed(secret).await,
            Login::Machine(secret) => return self.machine(secret, |_| true).await,
        };
        if MachineSecret::recognise(secret.expose()).is_some() {
            return self.machine(secret, |principal| is_called(principal, name)).await;
        }
        // Robots have no passwords, so that this is a workload's token or nothing.
        if name.parse::<RobotName>().is_ok() && Workloads::recognises(secret.expose()) {
            return self.workload(name, secret).await;
        }
        let user = self.user(name).await?;
        // Hashed also where there is nobody, so that the time tells no names.
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        if let (Some(directory), None) = (&self.directory, &stored)
            && self.is_for_a_directory(name, secret).await?
        {
            let user = directory.log_in(name, secret, address).await?.ok_or(TokenRefusal::Login)?;
            let provider = Some(directory.provider().clone());
            return Ok(SignedIn { provider, ..SignedIn::fully(Principal::User(user)) });
        }
        let same = self.passwords.verify(&Password::new(secret.expose()), stored).await;
        match (same.map_err(refusal)?, user) {
            (true, Some(user)) if !user.disabled => Ok(SignedIn::fully(Principal::User(user.name))),
            _ => Err(TokenRefusal::Login),
        }
    }

    async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        match name.parse::<AccountName>() {
            Ok(name) => self.accounts.find_user(name).await,
            Err(_) => Ok(None),
        }
    }

    /// Whether a directory may be shown a name and a secret: none that is meant for this registry.
    async fn is_for_a_directory(&self, name: &str, secret: &Secret) -> Result<bool, StoreError> {
        if name.parse::<RobotName>().is_ok() || MachineSecret::is_meant(secret.expose()) {
            return Ok(false);
        }
        // Directories look past case and spaces: somebody who has a password here mistyped their name.
        let meant = self.user(&name.trim().to_lowercase()).await?;
        Ok(meant.is_none_or(|user| user.password_hash.is_none()))
    }

    /// By a personal token or a robot's secret, of somebody who is as `is_who` says.
    async fn machine(
        &self,
        secret: &Secret,
        is_who: impl Fn(&Principal) -> bool + Send,
    ) -> Result<SignedIn, TokenRefusal> {
        let secret = match MachineSecret::recognise(secret.expose()) {
            Some((SecretKind::PersonalToken | SecretKind::RobotSecret, secret)) => secret,
            _ => return Err(TokenRefusal::Login),
        };
        let holder = self.accounts.find_secret(secret.hash()).await?;
        let holder = holder.filter(|it| it.kind != Some(TokenKind::Refresh));
        let holder = holder.filter(|it| is_who(&it.principal));
        holder.map(SignedIn::from).ok_or(TokenRefusal::Login)
    }

    async fn refreshed(&self, secret: &Secret) -> Result<SignedIn, TokenRefusal> {
        let secret = match MachineSecret::recognise(secret.expose()) {
            Some((SecretKind::RefreshToken, secret)) => secret,
            _ => return Err(TokenRefusal::Login),
        };
        if let Some(holder) = self.accounts.find_secret(secret.hash()).await? {
            let is_refresh = holder.kind == Some(TokenKind::Refresh);
            return is_refresh.then(|| holder.into()).ok_or(TokenRefusal::Login);
        }
        let robot = match &self.workloads {
            Some(workloads) => workloads.refreshed(&secret).await?,
            None => None,
        };
        let robot = robot.ok_or(TokenRefusal::Login)?;
        Ok(SignedIn::fully(Principal::Robot(robot)))
    }

    async fn workload(&self, name: &str, token: &Secret) -> Result<SignedIn, TokenRefusal> {
        let workloads = self.workloads.as_ref().ok_or(TokenRefusal::Login)?;
        let robot: RobotName = name.parse().map_err(|_| TokenRefusal::Login)?;
        let trusted = workloads.log_in(&robot, token).await?.ok_or(TokenRefusal::Login)?;
        let principal = Principal::Robot(robot);
        Ok(SignedIn { workload: Some(trusted), ..SignedIn::fully(principal) })
    }

    async fn workload_refresh_token(
        &self,
        trusted: &Trusted,
    ) -> Result<Option<Secret>, TokenRefusal> {
        let workloads = self.workloads.as_ref().ok_or(TokenRefusal::Login)?;
        Ok(workloads.refresh_token(trusted, &*self.random).await?)
    }

    /// What is signed for somebody lives no longer than what they logged in by, and as much shorter as what is known of their
    /// rights is old: one that was taken away ends within one life of a token.
    fn authority_for(
        &self,
        signed_in: &SignedIn,
        age: Duration,
    ) -> Result<Authority, TokenRefusal> {
        let mut authority = self.authority.clone();
        let whole = Duration::from_secs(age.as_secs() + u64::from(age.subsec_nanos() > 0));
        authority.life = authority.life.saturating_sub(whole);
        if let Some(workload) = &signed_in.workload {
            let now = u64::try_from(self.clock.now().0 / 1_000_000).unwrap_or_default();
            let left = Duration::from_secs(workload.expires_at.saturating_sub(now));
            authority.life = authority.life.min(left);
            if left.is_zero() {
                return Err(TokenRefusal::Login);
            }
        }
        Ok(authority)
    }

    /// Of what is wanted, what may be had, and how old the oldest of the facts may be. What is left out looks like what is not there.
    async fn granted(
        &self,
        signed_in: &SignedIn,
        wanted: Rights,
    ) -> Result<(Rights, Duration), TokenRefusal> {
        let (mut rights, mut oldest) = (Rights::default(), Duration::ZERO);
        for (repository, actions) in wanted.repositories {
            let (facts, age) = self.facts.facts(&signed_in.principal, &repository).await?;
            oldest = oldest.max(age);
            let allowed = decision::allowed(&signed_in.principal, &repository, actions, &facts);
            let allowed = signed_in.narrowed(&repository, allowed);
            if !allowed.is_empty() {
                rights.repositories.push((repository, allowed));
            }
        }
        if let (true, true, Principal::User(name)) =
            (wanted.catalog, signed_in.is_whole(), &signed_in.principal)
        {
            let user = self.accounts.find_user(name.clone()).await?;
            rights.catalog = user.is_some_and(|user| user.site_admin && !user.disabled);
        }
        Ok((rights, oldest))
    }

    async fn refresh_token(
        &self,
        user: &AccountName,
        client: &str,
    ) -> Result<Secret, TokenRefusal> {
        let secret = MachineSecret::new(SecretKind::RefreshToken, &*self.random);
        let token = NewToken {
            user: user.clone(),
            kind: TokenKind::Refresh,
            name: client.chars().take(LONGEST_CLIENT).collect(),
            secret_hash: secret.hash(),
            most: Narrowing::WHOLE,
            expires_at: Some(self.clock.now().after(REFRESH_LIFE)),
            provider: None,
        };
        let by = Actor::from(&Principal::User(user.clone()));
        let request = ChangeRequest { change: token.into(), by, once: None };
        match self.accounts.change(request).await? {
            Change::Done => Ok(Secret::new(secret.expose().to_owned())),
            _ => Err(TokenRefusal::Login),
        }
    }
}

/// Whether a principal logs in by that name.
fn is_called(principal: &Principal, name: &str) -> bool {
    match principal {
        Principal::User(user) => user.as_str() == name,
        Principal::Robot(robot) => robot.to_string() == name,
        Principal::Anonymous | Principal::System => false,
    }
}

fn refusal(error: HashError) -> TokenRefusal {
    match error {
        HashError::Busy => TokenRefusal::Busy("too many log in at once"),
        HashError::Corrupt(reason) => StoreError::Corrupt(reason).into(),
    }
}
