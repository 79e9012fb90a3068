//! Guards logins: how many tokens one client is issued, and how often somebody may fail to say who they are.
//!
//! A failure is taken before anything is looked at and given back where the login was good: of many that come at once no more are
//! looked at than may fail. The more fail the longer they wait, as the same failures are counted against longer times.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use wharf_core::actor::Actor;
use wharf_core::authority::{
    Authenticator, IssuedToken, Login, TokenIssuer, TokenRefusal, TokenRequest,
};
use wharf_core::limits::{Limiter, Rate, Take, Verdict, client_of};
use wharf_core::metadata::{Accounts, AuditEntry, AuditLog, AuditOutcome};
use wharf_core::permissions::{AccountName, Caller, Principal};

use crate::secret::MachineSecret;

/// The longest part of a name that is told apart.
const LONGEST_NAME: usize = 64;

/// How often, and who is not asked. Without a rate there is no limit.
#[derive(Clone, Debug, Default)]
pub struct GuardRules {
    /// How many tokens one client may ask for.
    pub requests: Option<Rate>,
    /// How many logins of one name from one client may fail. Three times as many in twelve times the time, and ten times
    /// as many in 288 times (a day, of five minutes). One client may fail five times as often over all names, and one name
    /// twenty times as often over all clients, which is what an attacker needs to lock out somebody.
    pub failures: Option<Rate>,
    /// Whose clients are not limited.
    pub exempt: Vec<IpNet>,
}

/// Lets in whom another lets in, within limits.
pub struct LoginGuard<I> {
    /// Who does.
    pub issuer: I,
    /// Who keeps count.
    pub limiter: Arc<dyn Limiter>,
    /// How often.
    pub rules: GuardRules,
    /// Whose logins they are.
    pub accounts: Arc<dyn Accounts>,
    /// Where failed ones are written down.
    pub audit: Arc<dyn AuditLog>,
}

#[async_trait]
impl<I: TokenIssuer> TokenIssuer for LoginGuard<I> {
    async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, TokenRefusal> {
        let (login, address) = (request.login.clone(), request.address);
        self.guarded(login.as_ref(), address, self.issuer.issue(request)).await
    }

    fn published_keys(&self) -> String {
        self.issuer.published_keys()
    }
}

#[async_trait]
impl<I: Authenticator> Authenticator for LoginGuard<I> {
    async fn authenticate(
        &self,
        login: Login,
        address: Option<IpAddr>,
    ) -> Result<Caller, TokenRefusal> {
        let asked = login.clone();
        self.guarded(Some(&asked), address, self.issuer.authenticate(login, address)).await
    }
}

impl<I: Send + Sync> LoginGuard<I> {
    /// What `attempt` answers, within limits.
    async fn guarded<T: Send>(
        &self,
        login: Option<&Login>,
        address: Option<IpAddr>,
        attempt: impl Future<Output = Result<T, TokenRefusal>> + Send,
    ) -> Result<T, TokenRefusal> {
        let Some(address) = address else { return attempt.await };
        let exempt =
            self.rules.exempt.iter().any(|network| network.contains(&address.to_canonical()));
        let client = client_of(address);
        let requests = match self.rules.requests {
            Some(rate) if !exempt => vec![Take { key: format!("token {client}"), rate }],
            _ => Vec::new(),
        };
        let failures = match (self.rules.failures, login) {
            (Some(rate), Some(login)) if !exempt => failures(rate, login, client),
            _ => Vec::new(),
        };
        let all = [requests.as_slice(), failures.as_slice()].concat();
        if let Verdict::TooMany(wait) = self.limiter.take(&all).await {
            return Err(TokenRefusal::TooMany(wait));
        }
        let answer = attempt.await;
        match (&answer, login) {
            (Err(TokenRefusal::Login), Some(login)) => self.write_down(login, address).await?,
            // What says nothing of the secret takes nothing either.
            _ => self.limiter.give_back(&failures).await,
        }
        answer
    }

    /// Names that are no user's are left out: somebody may have typed a password in their place.
    async fn write_down(&self, login: &Login, address: IpAddr) -> Result<(), TokenRefusal> {
        let target = match login {
            Login::Name { name, .. } => self.known(name).await?,
            _ => None,
        };
        let mut by = Actor::from(&Principal::Anonymous);
        by.address = Some(address);
        let entry = AuditEntry {
            by,
            action: "login".to_owned(),
            namespace: target.as_ref().map(ToString::to_string),
            target: target.map_or_else(|| "unknown".to_owned(), |name| format!("user:{name}")),
            outcome: AuditOutcome::Denied,
            detail: String::new(),
        };
        Ok(self.audit.append_audit(entry).await?)
    }

    async fn known(&self, name: &str) -> Result<Option<AccountName>, TokenRefusal> {
        let Ok(name) = name.parse::<AccountName>() else { return Ok(None) };
        Ok(self.accounts.find_user(name).await?.map(|user| user.name))
    }
}

/// What a login takes if it fails. What is made by chance is not guessed by trying one name: the client counts alone.
fn failures(rate: Rate, login: &Login, client: IpAddr) -> Vec<Take> {
    let mut takes = vec![Take { key: format!("fail {client}"), rate: rate.times(5, 1) }];
    if let Login::Name { name, secret } = login
        && MachineSecret::recognise(secret.expose()).is_none()
    {
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let of = |which: &str, rate| Take { key: format!("fail{which} {client} {name}"), rate };
        takes.push(of("", rate));
        takes.push(of("12", rate.times(3, 12)));
        takes.push(of("288", rate.times(10, 288)));
        takes.push(Take { key: format!("fail * {name}"), rate: rate.times(20, 1) });
    }
    takes
}
