//! How often images may be pulled and pushed, and how clients are told what is left: by the fields of the IETF
//! (draft-ietf-httpapi-ratelimit-headers), and for pulls by those of Docker Hub.
//!
//! An image is its manifest: an index and a look cost nothing, and blobs are not counted at all.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use wharf_core::limits::{Limiter, Rate, Standing, Take, client_of};
use wharf_core::permissions::Principal;

use crate::api::failure::Failure;
use crate::api::reply;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const DOCKER_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const DOCKER_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const DOCKER_SOURCE: HeaderName = HeaderName::from_static("docker-ratelimit-source");

/// Who may pull and push how often, and who keeps count.
#[derive(Clone)]
pub struct ImageLimits {
    /// Who keeps count.
    pub limiter: Arc<dyn Limiter>,
    /// How often images may be pulled.
    pub pulls: ImageRates,
    /// How often they may be pushed.
    pub pushes: ImageRates,
    /// Networks whose clients are neither limited nor counted.
    pub exempt_networks: Vec<IpNet>,
    /// Who is neither limited nor counted.
    pub exempt_principals: Vec<Principal>,
}

/// How often; without a rate there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageRates {
    /// For a client that says nothing of itself, by where it comes from.
    pub anonymous: Option<Rate>,
    /// For a user or a robot, wherever they come from.
    pub principal: Option<Rate>,
    /// For all together, of the repositories of one namespace.
    pub namespace: Option<Rate>,
}

impl ImageRates {
    /// Whether there is any limit.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.anonymous.is_some() || self.principal.is_some() || self.namespace.is_some()
    }
}

/// What is done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Pull,
    Push,
}

impl Doing {
    const fn key(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }

    const fn policy(self) -> &'static str {
        match self {
            Self::Pull => "pulls",
            Self::Push => "pushes",
        }
    }
}

/// Whose limit it is, as they are told.
struct Whose {
    key: String,
    shown: String,
}

impl Whose {
    fn of(principal: &Principal, address: IpAddr) -> Self {
        let shown = match principal {
            Principal::User(name) => name.to_string(),
            Principal::Robot(name) => name.to_string(),
            Principal::Anonymous | Principal::System => match client_of(address) {
                IpAddr::V6(network) => format!("{network}/64"),
                address => address.to_string(),
            },
        };
        let key = match principal {
            Principal::Anonymous | Principal::System => shown.clone(),
            principal => principal.to_string(),
        };
        Self { key, shown }
    }
}

/// What a reply tells of the limits.
#[derive(Default)]
pub(super) struct Told(Vec<(HeaderName, String)>);

impl Told {
    pub(super) fn put(self, headers: &mut HeaderMap) {
        for (name, text) in self.0 {
            headers.insert(name, reply::value(text));
        }
    }

    fn of(doing: Doing, whose: &Whose, standing: &Standing) -> Self {
        let Standing { rate, remaining, reset } = standing;
        let (policy, window) = (doing.policy(), rate.period().as_secs());
        let mut told = vec![
            (RATE_LIMIT_POLICY, format!("\"{policy}\";q={};w={window}", rate.count())),
            (RATE_LIMIT, format!("\"{policy}\";r={remaining};t={}", whole_seconds(*reset))),
        ];
        if doing == Doing::Pull {
            told.push((DOCKER_LIMIT, format!("{};w={window}", rate.count())));
            told.push((DOCKER_REMAINING, format!("{remaining};w={window}")));
            told.push((DOCKER_SOURCE, whose.shown.clone()));
        }
        Self(told)
    }
}

impl ImageLimits {
    /// Takes so many of what `principal` may do with images of a namespace, and tells what is left to them. What is left
    /// to the namespace they are not told.
    pub(super) async fn take(
        &self,
        doing: Doing,
        (principal, address): (&Principal, IpAddr),
        namespace: &str,
        cost: u32,
    ) -> Result<Told, Failure> {
        let rates = match doing {
            Doing::Pull => &self.pulls,
            Doing::Push => &self.pushes,
        };
        let own = match principal {
            Principal::Anonymous => rates.anonymous,
            Principal::User(_) | Principal::Robot(_) => rates.principal,
            Principal::System => None,
        };
        if self.exempts(principal, address) {
            return Ok(Told::default());
        }
        let whose = Whose::of(principal, address);
        let take = |of: fmt::Arguments<'_>, rate| Take {
            cost,
            ..Take::one(format!("{} {of}", doing.key()), rate)
        };
        let mut takes = Vec::with_capacity(2);
        takes.extend(own.map(|rate| take(format_args!("{}", whose.key), rate)));
        let namespace_rate = rates.namespace.filter(|_| cost > 0);
        takes.extend(namespace_rate.map(|rate| take(format_args!("in {namespace}"), rate)));
        if takes.is_empty() {
            return Ok(Told::default());
        }
        let verdict = self.limiter.take(&takes).await;
        let standing = own.and_then(|_| verdict.standings.first());
        let told = standing.map(|it| Told::of(doing, &whose, it)).unwrap_or_default();
        let Some(wait) = verdict.wait else { return Ok(told) };
        let what = doing.policy();
        let message = match standing.filter(|it| it.remaining < cost) {
            Some(Standing { rate, .. }) => format!(
                "too many {what} of {}, which has {rate}: try again in {} s",
                whose.shown,
                whole_seconds(wait)
            ),
            None => format!(
                "too many {what} of images of {namespace}, by all who ask for them: try again in {} s",
                whole_seconds(wait)
            ),
        };
        let refused = Failure::too_many(message, wait);
        Err(told.0.into_iter().fold(refused, |failure, (name, text)| failure.with(name, &text)))
    }

    fn exempts(&self, principal: &Principal, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.exempt_principals.contains(principal)
            || self.exempt_networks.iter().any(|network| network.contains(&address))
    }
}

/// A time in seconds, not less.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
