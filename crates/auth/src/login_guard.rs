//! Guards logins: how many tokens one client is issued, and how often somebody may fail to say who they are.
//!
//! A failure is taken before anything is looked at and given back where the login was good: of many that come at once no more are
//! looked at than may fail. Those that come meanwhile wait for how these end, as they may all be good. A login runs to its end in a
//! task of its own: who could take it back by going away could guess without end. The more fail the longer they wait, as the same
//! failures are counted against longer times; a good login ends that for its name at its client.
//!
//! Strangers who fail in somebody's name lock out no more than clients where nobody logged in by that name lately.

mod stakes;
mod turns;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use tracing::Instrument;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::authority::{
    Authenticator, IssuedToken, Login, TokenIssuer, TokenRefusal, TokenRequest,
};
use wharf_core::limits::{Limiter, Rate, Take, Verdict, client_of};
use wharf_core::metadata::{Accounts, AuditEntry, AuditLog, AuditOutcome};
use wharf_core::permissions::{AccountName, Caller, Principal};

use crate::spelling::plain;
use stakes::{Limit, Stakes, is_known, is_used_up};
use turns::{Turn, Turns};

/// How often, and who is not asked. Without a rate there is no limit.
#[derive(Clone, Debug, Default)]
pub struct GuardRules {
    /// How many tokens one client may ask for.
    pub requests: Option<Rate>,
    /// How many logins of one name from one client may fail. Three times as many in twelve times the time, and ten times
    /// as many in 288 times (a day, of five minutes). One client may fail five times as often over all names, and one name
    /// twenty times as often over all clients: then it logs in by its password only where it did in the last weeks.
    pub failures: Option<Rate>,
    /// Whose clients are not limited. What is limited of a name over all clients stays so.
    pub exempt: Vec<IpNet>,
}

impl GuardRules {
    /// How often one client may fail over all names, where one name may so often.
    #[must_use]
    pub fn failures_of_client(rate: Rate) -> Rate {
        rate.times(5, 1)
    }
}

/// What a guard stands before, and what it needs.
pub struct GuardParts<I> {
    /// Who lets in.
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

/// Lets in whom another lets in, within limits.
pub struct LoginGuard<I>(Arc<Guard<I>>);

struct Guard<I> {
    parts: GuardParts<I>,
    turns: Arc<Turns>,
}

impl<I> LoginGuard<I> {
    /// One before `parts.issuer`.
    pub fn new(parts: GuardParts<I>) -> Self {
        Self(Arc::new(Guard { parts, turns: Arc::default() }))
    }
}

#[async_trait]
impl<I: TokenIssuer> TokenIssuer for LoginGuard<I> {
    async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, TokenRefusal> {
        let guard = Arc::clone(&self.0);
        let (login, address) = (request.login.clone(), request.address);
        to_its_end(async move {
            let attempt = guard.parts.issuer.issue(request);
            guard.guarded(login.as_ref(), address, attempt).await
        })
        .await
    }

    fn published_keys(&self) -> String {
        self.0.parts.issuer.published_keys()
    }
}

#[async_trait]
impl<I: Authenticator> Authenticator for LoginGuard<I> {
    async fn authenticate(
        &self,
        login: Login,
        address: Option<IpAddr>,
    ) -> Result<Caller, TokenRefusal> {
        let guard = Arc::clone(&self.0);
        to_its_end(async move {
            let attempt = guard.parts.issuer.authenticate(login.clone(), address);
            guard.guarded(Some(&login), address, attempt).await
        })
        .await
    }
}

/// What `work` comes to, which goes on if nobody waits for it any more.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, TokenRefusal>> + Send + 'static,
) -> Result<T, TokenRefusal> {
    let ended = tokio::spawn(work.in_current_span()).await;
    ended.unwrap_or_else(|_| Err(StoreError::Unavailable("a login's task died".into()).into()))
}

impl<I: Send + Sync> Guard<I> {
    /// What `attempt` answers, within limits.
    async fn guarded<T: Send>(
        &self,
        login: Option<&Login>,
        address: Option<IpAddr>,
        attempt: impl Future<Output = Result<T, TokenRefusal>> + Send,
    ) -> Result<T, TokenRefusal> {
        let Some(address) = address else { return attempt.await };
        let rules = &self.parts.rules;
        let exempt = rules.exempt.iter().any(|network| network.contains(&address.to_canonical()));
        let stakes = Stakes::of(login, client_of(address), exempt);
        let (_turn, taken) = self.admit(&stakes, login.is_some()).await?;
        let answer = attempt.await;
        match (&answer, login) {
            (Err(TokenRefusal::Login), Some(login)) => self.write_down(login, address).await,
            (Ok(_), Some(_)) => self.is_good(&stakes, taken).await,
            // What says nothing of the secret takes nothing either.
            (Err(_), Some(_)) => self.parts.limiter.give_back(&failures(taken)).await,
            (_, None) => {}
        }
        answer
    }

    /// Takes what the login would take if it failed, once that is there or can be told to be used up.
    async fn admit(
        &self,
        stakes: &Stakes,
        is_login: bool,
    ) -> Result<(Turn, Vec<(Limit, Take)>), TokenRefusal> {
        let rules = &self.parts.rules;
        let failures = rules.failures.filter(|_| is_login);
        let lines = failures.map(|rate| stakes.lines(rate)).unwrap_or_default();
        let crowded = |_| TokenRefusal::Busy("too many logins wait for others from there");
        let mut turn = self.turns.enter(lines).await.map_err(crowded)?;
        let mut takes: Vec<_> =
            rules.requests.and_then(|it| stakes.requests(it)).into_iter().collect();
        takes.extend(failures.map(|rate| stakes.failures(rate)).unwrap_or_default());
        loop {
            let verdict = self.take(&takes).await;
            let Some(wait) = verdict.wait else {
                turn.go_in();
                return Ok((turn, takes));
            };
            let both = || takes.iter().zip(&verdict.standings);
            let used_up = both().filter(|((_, take), standing)| is_used_up(take, standing));
            let used_up: Vec<Limit> = used_up.map(|((limit, _), _)| *limit).collect();
            let mut known = both().filter(|((limit, _), _)| *limit == Limit::Known);
            if used_up == [Limit::Everywhere] && known.any(|(_, standing)| is_known(standing)) {
                takes.retain(|(limit, _)| *limit != Limit::Everywhere);
                continue;
            }
            let lines: Option<Vec<String>> =
                used_up.into_iter().map(|limit| stakes.line_of(limit)).collect();
            // Where others could give nothing back, nothing is waited for.
            let keys = lines.unwrap_or_default();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            if !turn.another_ended(&keys).await {
                return Err(TokenRefusal::TooMany(wait));
            }
        }
    }

    async fn take(&self, takes: &[(Limit, Take)]) -> Verdict {
        let takes: Vec<Take> = takes.iter().map(|(_, take)| take.clone()).collect();
        self.parts.limiter.take(&takes).await
    }

    /// The name has not failed at that client; what others failed there or elsewhere stays.
    async fn is_good(&self, stakes: &Stakes, taken: Vec<(Limit, Take)>) {
        let (forgotten, given): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|(limit, _)| *limit == Limit::Name);
        let forgotten: Vec<Take> = forgotten.into_iter().map(|(_, take)| take).collect();
        let given = failures(given);
        let known: Vec<Take> =
            stakes.known().filter(|_| self.parts.rules.failures.is_some()).into_iter().collect();
        let limiter = &self.parts.limiter;
        tokio::join!(limiter.forget(&forgotten), limiter.give_back(&given), async {
            if !known.is_empty() {
                limiter.take(&known).await;
            }
        });
    }

    /// Names that are no user's are left out: somebody may have typed a password in their place.
    async fn write_down(&self, login: &Login, address: IpAddr) {
        let written = async {
            let target = match login {
                Login::Name { name, .. } => self.known(name).await?,
                _ => None,
            };
            let mut by = Actor::from(&Principal::Anonymous);
            by.address = Some(address);
            let entry = AuditEntry {
                by,
                action: "login".to_owned(),
                // Nobody who administers their namespace needs to know from where they log in.
                namespace: None,
                target: target.map_or_else(|| "unknown".to_owned(), |name| format!("user:{name}")),
                outcome: AuditOutcome::Denied,
                detail: String::new(),
            };
            self.parts.audit.append_audit(entry).await
        };
        // The answer is the same all the same.
        if let Err(error) = written.await {
            tracing::error!(%error, %address, "a failed login could not be written to the audit log");
        }
    }

    async fn known(&self, name: &str) -> Result<Option<AccountName>, StoreError> {
        let Ok(name) = plain(name).parse::<AccountName>() else { return Ok(None) };
        Ok(self.parts.accounts.find_user(name).await?.map(|user| user.name))
    }
}

/// Of what was taken, what a failure takes.
fn failures(taken: Vec<(Limit, Take)>) -> Vec<Take> {
    let failures = taken
        .into_iter()
        .filter(|(limit, _)| matches!(limit, Limit::Client | Limit::Name | Limit::Everywhere));
    failures.map(|(_, take)| take).collect()
}
