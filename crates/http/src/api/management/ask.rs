//! A request of the API: who asks, what the path, the query and the body say, and the one way to the stores.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, Method, StatusCode};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wharf_core::Registry;
use wharf_core::access::Role;
use wharf_core::actor::Actor;
use wharf_core::authority::{Login, Secret};
use wharf_core::clock::Timestamp;
use wharf_core::limits::{Take, client_of};
use wharf_core::metadata::{
    AccountChange, AuditEntry, AuditOutcome, Change, ChangeRequest, Once, Session,
};
use wharf_core::operation::{Action, Operation, Requirement};
use wharf_core::permissions::{Caller, Permitted, Principal, permit};
use wharf_core::retention::PullsKnown;
use wharf_oci::{Algorithm, Hasher};

use super::problem::Problem;
use super::values::Textual;
use super::{Management, Stores, denials};
use crate::api::browser::{self, NotOfBrowser};
use crate::api::call::Call;
use crate::api::token::basic;

/// The largest body in bytes.
const LARGEST_BODY: u64 = 64 << 10;

/// The longest key of a change that is to happen once.
const LONGEST_KEY: usize = 255;

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The parts of a path that its template names.
pub(in crate::api) type Params = Vec<(&'static str, String)>;

/// Fields that are left out where a request is recognised again: of those nothing is kept, not even a hash that could be
/// guessed at.
const SECRETS: [&str; 3] = ["password", "current", "invitation"];

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

/// What has no parts.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Nothing {}

/// What a request's body is.
pub(in crate::api) trait RequestBody: Sized + Send {
    /// Its schema, where there is one.
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema>;

    /// Reads it, with what it says but for secrets.
    fn read(call: &mut Call) -> impl Future<Output = Result<(Self, String), Problem>> + Send;
}

impl RequestBody for Nothing {
    fn schema(_: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }

    async fn read(_: &mut Call) -> Result<(Self, String), Problem> {
        Ok((Self {}, String::new()))
    }
}

/// A JSON document.
#[derive(Debug)]
pub(in crate::api) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned + JsonSchema + Send> RequestBody for Json<T> {
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(schemas.subschema_for::<T>())
    }

    async fn read(call: &mut Call) -> Result<(Self, String), Problem> {
        let kind = call.header(CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "the body must be JSON, and the Content-Type say so: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
        }
        let bytes = call.collect(LARGEST_BODY).await.map_err(|_| {
            let detail = format!("the body broke off, or is larger than {LARGEST_BODY} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
        })?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let read: T = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| Problem::invalid(field(error.path()), reason(error.inner())))?;
        json.end().map_err(|error| Problem::invalid("body", error.to_string()))?;
        let mut said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(fields) = said.as_object_mut() {
            fields.retain(|name, _| !SECRETS.contains(&name.as_str()));
        }
        Ok((Self(read), said.to_string()))
    }
}

/// What is wrong, without the place in the text: the field says where.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) if error.is_data() => reason.to_owned(),
        _ => text,
    }
}

fn field(path: &serde_path_to_error::Path) -> String {
    match path.to_string().as_str() {
        "." | "?" => "body".to_owned(),
        path => path.to_owned(),
    }
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

/// Each parameter once, none that is not known.
fn read_query<Q: DeserializeOwned>(query: &str) -> Result<Q, Problem> {
    let mut fields = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8().map(|text| text.into_owned())
        };
        let (Ok(name), Ok(text)) = (decoded(name), decoded(text)) else {
            return Err(Problem::invalid("query", "the query is not UTF-8"));
        };
        if fields.contains_key(&name) {
            return Err(Problem::invalid(name, "the parameter is there twice"));
        }
        fields.insert(name, Value::String(text));
    }
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let name = match error.path().to_string() {
            path if path == "." => "query".to_owned(),
            path => path,
        };
        Problem::invalid(name, reason(error.inner()))
    })
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

    /// Whether a change is to happen once. Only a POST would happen twice; and strangers have no keys of their own.
    pub(super) fn once(&self) -> Result<Option<Once>, Problem> {
        let is_strangers = self.caller.principal == Principal::Anonymous;
        if self.call.head.method != Method::POST || is_strangers {
            return Ok(None);
        }
        let Some(key) = self.call.head.headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
        let text = key.to_str().unwrap_or_default();
        let is_key = (1..=LONGEST_KEY).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key {
            let detail = "the header must be 1 to 255 visible characters, without spaces";
            return Err(Problem::invalid("Idempotency-Key", detail));
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let head = &self.call.head;
        for part in [head.method.as_str(), head.uri.path(), &self.said] {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hasher.finish().hash());
        Ok(Some(Once { key: text.to_owned(), fingerprint }))
    }

    /// The version that a change expects (RFC 9110, section 13.1.1); any where the request says none.
    pub(super) fn expected(&self) -> Result<Option<Version>, Problem> {
        let mut all = self.call.head.headers.get_all(IF_MATCH).iter();
        let Some(header) = all.next() else { return Ok(None) };
        if header.as_bytes() == b"*" && all.next().is_none() {
            return Ok(None);
        }
        let version = header.to_str().ok().and_then(Version::read).filter(|_| all.next().is_none());
        version.map(Some).ok_or_else(stale)
    }

    /// The number that a change expects of something. When that was made is looked up where the request names a version:
    /// another one of the same name is not that.
    pub(super) async fn expected_of(
        &self,
        created_at: impl Future<Output = Result<Timestamp, Problem>>,
    ) -> Result<Option<i64>, Problem> {
        match self.expected()? {
            None => Ok(None),
            Some(version) if version.created_at == created_at.await? => Ok(Some(version.number)),
            Some(_) => Err(stale()),
        }
    }

    /// Whether who asks has this version already (RFC 9110, section 13.1.2).
    pub(super) fn has_version(&self, version: Version) -> bool {
        let known = self.call.header(IF_NONE_MATCH).unwrap_or_default();
        known.split(',').any(|known| known.trim() == "*" || Version::read(known) == Some(version))
    }
}

fn stale() -> Problem {
    let detail = "what If-Match names is no ETag of this: read it again, and decide again";
    Problem::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
}

/// Which state of something is meant: what an ETag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Version {
    /// Counts the changes.
    pub(super) number: i64,
    /// When it was made: the counts of another one of the same name begin anew.
    pub(super) created_at: Timestamp,
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let (number, made) = text.trim().strip_prefix('"')?.strip_suffix('"')?.split_once('.')?;
        let created_at = Timestamp(i64::from_str_radix(made, 16).ok()?);
        Some(Self { number: number.parse().ok()?, created_at })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}.{:x}\"", self.number, self.created_at.0)
    }
}

/// What was changed, and the way to read what it is now.
pub(super) struct Changed<'a> {
    pub(super) stores: &'a Stores,
    /// Whether it was done before, under the same key.
    pub(super) again: bool,
}

impl Management {
    /// Takes one of the changes that somebody may ask for, whatever becomes of it: each is a transaction and a record of
    /// the audit log. Strangers change nothing but by signing up, which has a limit of its own.
    async fn takes_change(&self, caller: &Caller) -> Result<(), Problem> {
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
    async fn caller(&self, call: &Call) -> Result<Caller, Problem> {
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
