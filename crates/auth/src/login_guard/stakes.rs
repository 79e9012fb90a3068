//! What a login takes of which limit, before anything is looked at.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wharf_core::authority::Login;
use wharf_core::limits::{Rate, Standing, Take};
use wharf_core::permissions::RobotName;

use super::GuardRules;
use super::turns::Line;
use crate::secret::MachineSecret;
use crate::spelling::plain;

/// How many logins of a name from a client are looked at at once, at most: as many as are hashed.
const MOST_AT_ONCE: usize = 4;

/// How many of a client.
const MOST_OF_CLIENT: usize = 64;

/// A client from which a name logged in well is known for a week after one login, for up to four after more.
const KNOWN_COUNT: u32 = 4;
const KNOWN_FOR: Duration = Duration::from_secs(28 * 24 * 3600);

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Of the tokens that a client asks for.
    Requests,
    /// Of failures of a client, over all names.
    Client,
    /// Of failures of a name from a client.
    Name,
    /// Of failures of a name from all clients.
    Everywhere,
    /// None: whether the name has logged in from there before.
    Known,
}

/// A login before the limits: where it comes from, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Stakes {
    client: IpAddr,
    /// Of a name that is tried with a password, its hash: somebody may have typed a password in its place.
    name: Option<String>,
    is_limited_client: bool,
}

impl Stakes {
    pub(super) fn of(login: Option<&Login>, client: IpAddr, is_exempt: bool) -> Self {
        // What was made by chance or signed is not guessed by trying one name: the client counts alone. Robots have nothing else.
        let name = match login {
            Some(Login::Name { name, secret }) => {
                let is_guessed = MachineSecret::recognise(secret.expose()).is_none()
                    && name.parse::<RobotName>().is_err();
                is_guessed.then(|| hashed(&plain(name)))
            }
            _ => None,
        };
        Self { client, name, is_limited_client: !is_exempt }
    }

    /// What asking for a token takes.
    pub(super) fn requests(&self, rate: Rate) -> Option<(Limit, Take)> {
        let take = || Take::one(format!("token {}", self.client), rate);
        self.is_limited_client.then(|| (Limit::Requests, take()))
    }

    /// What a failure takes.
    pub(super) fn failures(&self, rate: Rate) -> Vec<(Limit, Take)> {
        let mut takes = Vec::new();
        if self.is_limited_client {
            takes.push((
                Limit::Client,
                Take::one(self.client_key(), GuardRules::failures_of_client(rate)),
            ));
        }
        let Some(name) = &self.name else { return takes };
        if self.is_limited_client {
            let client = self.client;
            for (which, rate) in
                [("", rate), ("12", rate.times(3, 12)), ("288", rate.times(10, 288))]
            {
                let take = Take::one(format!("fail{which} {client} {name}"), rate);
                takes.push((Limit::Name, take));
            }
        }
        takes.push((Limit::Everywhere, Take::one(format!("fail * {name}"), rate.times(20, 1))));
        takes.extend(self.known().map(|known| (Limit::Known, Take { cost: 0, ..known })));
        takes
    }

    /// What makes the client one from which the name has logged in.
    pub(super) fn known(&self) -> Option<Take> {
        let rate = Rate::new(KNOWN_COUNT, KNOWN_FOR).ok()?;
        let name = self.name.as_ref()?;
        Some(Take::one(format!("known {} {name}", self.client), rate))
    }

    /// Whom it waits for: as many as may fail are spread over some nodes.
    pub(super) fn lines(&self, rate: Rate) -> Vec<Line> {
        let part = |rate: Rate, most| (rate.count() as usize / 3).clamp(1, most);
        let mut lines = Vec::new();
        if self.name.is_some() {
            lines.push(Line { key: self.name_key(), at_once: part(rate, MOST_AT_ONCE) });
        }
        if self.is_limited_client {
            let at_once = part(GuardRules::failures_of_client(rate), MOST_OF_CLIENT);
            lines.push(Line { key: self.client_key(), at_once });
        }
        lines
    }

    /// The line of those whose failures count to a limit.
    pub(super) fn line_of(&self, limit: Limit) -> Option<String> {
        match limit {
            Limit::Client => Some(self.client_key()),
            Limit::Name => Some(self.name_key()),
            Limit::Requests | Limit::Everywhere | Limit::Known => None,
        }
    }

    fn client_key(&self) -> String {
        format!("fail {}", self.client)
    }

    fn name_key(&self) -> String {
        format!("fail {} {}", self.client, self.name.as_deref().unwrap_or_default())
    }
}

/// Whether nothing is left of what is taken.
pub(super) const fn is_used_up(take: &Take, standing: &Standing) -> bool {
    standing.remaining < take.cost
}

/// Whether the name has logged in from there before.
pub(super) const fn is_known(standing: &Standing) -> bool {
    standing.remaining < KNOWN_COUNT
}

/// A name as it stands in keys.
fn hashed(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
