//! Who asks, and how often they may.

use std::net::IpAddr;

use http::header::AUTHORIZATION;
use wharf_core::authority::{Login, Secret};
use wharf_core::limits::{Take, client_of};
use wharf_core::metadata::Session;
use wharf_core::permissions::{Caller, Principal};

use crate::api::browser::{self, NotOfBrowser};
use crate::api::call::Call;
use crate::api::management::Management;
use crate::api::management::problem::Problem;
use crate::api::token::basic;

impl Management {
    /// Takes one of the changes that somebody may ask for, whatever becomes of it: each is a transaction and a record of
    /// the audit log. Strangers change nothing but by signing up, which has a limit of its own.
    pub(super) async fn takes_change(&self, caller: &Caller) -> Result<(), Problem> {
        let parts = self.parts();
        let Some(rate) = parts.changes else { return Ok(()) };
        let is_exempt = parts.exempt_principals.contains(&caller.principal)
            || caller.address.is_some_and(|address| self.exempts(address));
        if caller.principal == Principal::Anonymous || is_exempt {
            return Ok(());
        }
        let take = Take::one(format!("changes {}", caller.principal), rate);
        let Some(wait) = parts.limiter.take(&[take]).await.wait else { return Ok(()) };
        let detail =
            format!("{} has asked for more changes than {rate}: wait, and go on", caller.principal);
        Err(Problem::too_many(detail, wait.as_secs().saturating_add(1)))
    }

    fn exempts(&self, address: IpAddr) -> bool {
        self.parts().exempt.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Those who say nothing of themselves ask as often as others log in: what they may see costs as much.
    async fn strangers_ask(&self, address: IpAddr) -> Result<(), Problem> {
        let parts = self.parts();
        let Some(rate) = parts.requests.filter(|_| !self.exempts(address)) else { return Ok(()) };
        let take = Take::one(format!("token {}", client_of(address)), rate);
        match parts.limiter.take(&[take]).await.wait {
            None => Ok(()),
            Some(wait) => {
                let detail = "too many requests from there: wait, and try again";
                Err(Problem::too_many(detail, wait.as_secs().saturating_add(1)))
            }
        }
    }

    /// Who asks.
    pub(super) async fn caller(&self, call: &Call) -> Result<Caller, Problem> {
        let parts = self.parts();
        let headers = &call.head.headers;
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let Some(header) = all.next() else {
            // A cookie that nobody has costs as much as no cookie.
            self.strangers_ask(call.client_address()).await?;
            return by_browser(call).await;
        };
        let wrong = || {
            let detail = "the Authorization header must be one: Basic with a name and a password or token, or Bearer \
                          with a token";
            Problem::unauthorized(&parts.service, detail)
        };
        if all.next().is_some() {
            return Err(wrong());
        }
        let text = header.to_str().map_err(|_| wrong())?;
        let (scheme, rest) = text.split_once(' ').ok_or_else(wrong)?;
        let login = if scheme.eq_ignore_ascii_case("bearer") {
            Login::Machine(Secret::new(rest.trim().to_owned()))
        } else {
            let (name, secret) = basic(headers).ok().flatten().ok_or_else(wrong)?;
            Login::Name { name, secret: Secret::new(secret) }
        };
        let address = Some(call.client_address());
        let known = parts.authenticator.authenticate(login, address).await;
        known.map_err(|refusal| Problem::of_login(refusal, &parts.service))
    }
}

/// Who asks without saying so: who is logged in by the browser that asks, or nobody in particular.
async fn by_browser(call: &Call) -> Result<Caller, Problem> {
    match browser::of_call(call).await {
        Ok(Some(browsing)) => {
            let Session { user, provider, .. } = browsing.session;
            Ok(Caller { provider, ..Caller::new(Principal::User(user)) })
        }
        Ok(None) => Ok(Caller::new(Principal::Anonymous)),
        Err(NotOfBrowser::Store(fault)) => Err(fault.into()),
        Err(forged @ NotOfBrowser::Forged) => Err(Problem::forbidden(forged.to_string())),
    }
}
