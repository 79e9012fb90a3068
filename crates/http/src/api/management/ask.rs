//! A request of the API: who asks, what the path, the query and the body say, and the one way to the stores.

mod caller;
mod condition;
mod reading;

pub(in crate::api) use condition::Version;
pub(in crate::api) use reading::{Json, Nothing, RequestBody};

use std::sync::Arc;

use http::StatusCode;
use serde::de::DeserializeOwned;
use wharf_core::Registry;
use wharf_core::access::Role;
use wharf_core::actor::Actor;
use wharf_core::metadata::{AccountChange, AuditEntry, AuditOutcome, Change, ChangeRequest};
use wharf_core::operation::{Action, Operation, Requirement};
use wharf_core::permissions::{Caller, Permitted, Principal, permit};
use wharf_core::retention::PullsKnown;

use super::problem::Problem;
use super::values::Textual;
use super::{Management, Stores, denials};
use crate::api::call::Call;
use reading::read_query;

/// The parts of a path that its template names.
pub(in crate::api) type Params = Vec<(&'static str, String)>;

/// A request, with what its query and its body say.
pub(in crate::api) struct Ask<Q = Nothing, B = Nothing> {
    call: Call,
    params: Params,
    management: Management,
    caller: Caller,
    /// What the body says, by which a request is known again.
    said: String,
    /// The query.
    pub(super) query: Q,
    /// The body.
    pub(super) body: B,
}

impl<Q: DeserializeOwned, B: RequestBody> Ask<Q, B> {
    /// Reads a request. Whose it is stays as it came where nobody says who they are.
    pub(super) async fn read(
        mut call: Call,
        params: Params,
        management: Management,
    ) -> Result<Self, Problem> {
        let mut caller = management.caller(&call).await?;
        call.tell_asker(&caller.principal);
        caller.address = Some(call.client_address());
        caller.request_id = Some(call.request_id().to_string());
        let query = read_query(call.head.uri.query().unwrap_or_default())?;
        let (body, said) = B::read(&mut call).await?;
        Ok(Self { call, params, management, caller, said, query, body })
    }
}

impl<Q, B> Ask<Q, B> {
    /// A part of the path. What is not of its form is not there.
    pub(super) fn named<T: Textual>(&self, name: &str) -> Result<T, Problem> {
        let text = self.params.iter().find(|(known, _)| *known == name).map(|(_, text)| text);
        let text = text.ok_or_else(|| Problem::internal(format!("no path has a {name}")))?;
        T::read(text).map_err(|reason| {
            let detail = format!("there is no such {name}: {reason}");
            Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
        })
    }

    /// Whether the path has such a part.
    pub(super) fn names(&self, name: &str) -> bool {
        self.params.iter().any(|(known, _)| *known == name)
    }

    /// Who asks.
    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who asks, if they said who they are.
    pub(super) fn somebody(&self) -> Result<&Caller, Problem> {
        match self.caller.principal {
            Principal::Anonymous => Err(self.unauthorized()),
            _ => Ok(&self.caller),
        }
    }

    /// What the API works with, stores aside.
    pub(super) const fn management(&self) -> &Management {
        &self.management
    }

    /// Where something of this API is, as who asks must see it.
    pub(super) fn location(&self, path: &str) -> String {
        self.call.location(&format!("{}{path}", super::ROOT))
    }

    /// For how long pulls are known.
    pub(super) fn pulls_known(&self) -> PullsKnown {
        self.management.parts().pulls
    }

    /// The registry itself.
    pub(super) fn registry(&self) -> &Arc<Registry> {
        self.call.registry()
    }

    /// Whether the caller has what is required.
    pub(super) async fn has(&self, requirement: Requirement<'_>) -> Result<bool, Problem> {
        Ok(self.management.parts().permissions.allows(&self.caller, requirement).await?)
    }

    /// The stores, for who has what is required.
    pub(super) async fn may(&self, requirement: Requirement<'_>) -> Result<&Stores, Problem> {
        if self.has(requirement).await? {
            Ok(&self.management.parts().stores)
        } else {
            Err(self.refusal(requirement).await?)
        }
    }

    /// Takes an operation past the authorization point.
    pub(super) async fn permitted<O: Operation + Clone>(
        &self,
        operation: O,
    ) -> Result<Permitted<O>, Problem> {
        let permissions = &*self.management.parts().permissions;
        let permitted = permit(permissions, self.caller.clone(), operation.clone()).await;
        if O::MUTATES && permitted.is_ok() {
            self.management.takes_change(&self.caller).await?;
        }
        match permitted {
            Err(wharf_core::Error::Denied) => {
                if let (true, Requirement::Repository(name, _) | Requirement::Role(name, _)) =
                    (O::MUTATES, operation.requirement())
                {
                    let target = format!("repository:{name}");
                    let namespace = Some(name.namespace().to_owned());
                    self.write_down(O::NAME, target, namespace, String::new()).await;
                }
                Err(self.refusal(operation.requirement()).await?)
            }
            other => Ok(other?),
        }
    }

    /// What a change needs, its own requirement or another one: whoever lacks it is written down.
    pub(super) async fn may_change<C>(
        &self,
        change: &C,
        requirement: Requirement<'_>,
    ) -> Result<&Stores, Problem>
    where
        C: Clone + Into<AccountChange>,
    {
        if self.has(requirement).await? {
            return Ok(&self.management.parts().stores);
        }
        self.write_down_change(change).await;
        Err(self.refusal(requirement).await?)
    }

    /// Writes down that somebody tried to change something and may not.
    pub(super) async fn write_down_change<C: Clone + Into<AccountChange>>(&self, change: &C) {
        let described: AccountChange = change.clone().into();
        let (target, namespace) = (described.target(), described.namespace());
        self.write_down(described.action(), target, namespace, described.detail()).await;
    }

    /// Changes accounts, and writes down who tried to and may not.
    pub(super) async fn change<C>(&self, change: C) -> Result<Changed<'_>, Problem>
    where
        C: Operation + Clone + Into<AccountChange>,
    {
        let parts = self.management.parts();
        let described: AccountChange = change.clone().into();
        let what = described.target().replacen(':', " ", 1);
        self.may_change(&change, change.requirement()).await?;
        self.management.takes_change(&self.caller).await?;
        let once = self.once()?;
        let by = Actor::from(&self.caller);
        let request = ChangeRequest { change: described, by, once };
        match parts.stores.accounts.change(request).await? {
            Change::Done => Ok(Changed { stores: &parts.stores, again: false }),
            Change::Again => Ok(Changed { stores: &parts.stores, again: true }),
            other => Err(Problem::of_change(other, &what)),
        }
    }

    /// Writes down a change that was denied: of people who are known, and only so often, so that nobody fills the log.
    async fn write_down(
        &self,
        action: &str,
        target: String,
        namespace: Option<String>,
        detail: String,
    ) {
        let parts = self.management.parts();
        if self.caller.principal == Principal::Anonymous {
            return;
        }
        let take = denials(&self.caller.principal);
        if parts.limiter.take(&[take]).await.wait.is_some() {
            return;
        }
        let entry = AuditEntry {
            by: Actor::from(&self.caller),
            action: action.to_owned(),
            target,
            namespace,
            outcome: AuditOutcome::Denied,
            detail,
        };
        if let Err(error) = parts.stores.audit.append_audit(entry).await {
            tracing::error!(%error, "a denied change could not be written into the audit log");
        }
    }

    /// Why somebody who lacks what is required gets nothing: 404 where they could not see it either.
    async fn refusal(&self, requirement: Requirement<'_>) -> Result<Problem, Problem> {
        if self.caller.principal == Principal::Anonymous {
            return Ok(self.unauthorized());
        }
        let (what, sees) = match requirement {
            Requirement::Namespace(name, role) => {
                let sees =
                    role > Role::Read && self.has(Requirement::Namespace(name, Role::Read)).await?;
                (format!("namespace {name}"), sees)
            }
            Requirement::Teams(name) => {
                let sees = self.has(Requirement::Namespace(name, Role::Read)).await?;
                (format!("namespace {name}"), sees)
            }
            Requirement::Role(name, _) | Requirement::Repository(name, _) => {
                let pull = Requirement::Repository(name, Action::Pull);
                let asked = matches!(requirement, Requirement::Repository(_, Action::Pull));
                (format!("repository {name}"), !asked && self.has(pull).await?)
            }
            Requirement::Own(name, _) => {
                let own = Principal::User(name.clone()) == self.caller.principal;
                (format!("user {name}"), own)
            }
            Requirement::Access | Requirement::Catalog | Requirement::Site => (String::new(), true),
        };
        Ok(if sees {
            Problem::forbidden(format!(
                "{} may not do that with what they logged in by",
                self.caller.principal
            ))
        } else {
            Problem::not_found(what)
        })
    }

    fn unauthorized(&self) -> Problem {
        let detail =
            "say who you are: by a name and a password or token, as Basic, or by a token as Bearer";
        Problem::unauthorized(&self.management.parts().service, detail)
    }
}

/// What was changed, and the way to read what it is now.
pub(super) struct Changed<'a> {
    pub(super) stores: &'a Stores,
    /// Whether it was done before, under the same key.
    pub(super) again: bool,
}
