//! Device logins (RFC 8628): programs without a browser that wait for a person to let them in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;
use crate::access::Role;
use crate::browser::Visit;
use crate::clock::{Random, Timestamp};
use crate::metadata::Change;
use crate::permissions::AccountName;

/// How many device logins of one address wait at once.
pub const MOST_OF_ADDRESS: usize = 20;

/// How many codes that are none a session may try.
pub const MOST_TRIES: i64 = 10;

/// No vowels, so that no word comes of it, and nothing that looks like another (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Letters of a code: 34 bits of chance.
const LENGTH: usize = 8;

/// What a person types to name a device login: `BCDF-GHJK`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserCode(String);

impl UserCode {
    /// A new one.
    #[must_use]
    pub fn new(random: &dyn Random) -> Self {
        let mut code = String::new();
        while code.len() < LENGTH {
            let mut byte = [0];
            random.fill(&mut byte);
            // What does not divide evenly among the letters is thrown again.
            if usize::from(byte[0]) < LETTERS.len() * 12 {
                code.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
            }
        }
        Self(code)
    }

    /// Its letters, without the dash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(formatter, "{first}-{second}")
    }
}

/// A text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has eight letters, such as BCDF-GHJK")]
pub struct NoUserCode;

impl FromStr for UserCode {
    type Err = NoUserCode;

    /// As people type it: in small letters, with or without dash and spaces.
    fn from_str(text: &str) -> Result<Self, NoUserCode> {
        let letters = text.bytes().filter(|byte| !b" -".contains(byte));
        let code: Vec<u8> = letters.take(LENGTH + 1).map(|it| it.to_ascii_uppercase()).collect();
        if code.len() != LENGTH || !code.iter().all(|byte| LETTERS.contains(byte)) {
            return Err(NoUserCode);
        }
        String::from_utf8(code).map(Self).map_err(|_| NoUserCode)
    }
}

/// A device login to be started.
#[derive(Clone, Debug)]
pub struct NewDeviceLogin {
    /// The hash of what the device keeps.
    pub device_hash: [u8; 32],
    /// What its person types.
    pub user_code: UserCode,
    /// What the device calls itself.
    pub client: String,
    /// Where it is: an address, or the network of one.
    pub address: String,
    /// The most that its token is to be good for.
    pub role: Role,
    /// How long it waits.
    pub life: Duration,
    /// The least time between two of its questions.
    pub interval: Duration,
}

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStart {
    /// It waits.
    Started,
    /// Another one has the code.
    CodeTaken,
    /// As many of the address wait as may.
    TooMany,
}

/// A device login that waits, as the person sees it who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingDevice {
    /// What it calls itself.
    pub client: String,
    /// Where it is.
    pub address: String,
    /// The most that its token is to be good for.
    pub role: Role,
    /// Since when it waits.
    pub started_at: Timestamp,
}

/// What there is by a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceFind {
    /// This.
    Found(WaitingDevice),
    /// Nothing, or nothing that waits any more.
    Unknown,
    /// The session has tried too many codes that were none.
    TooManyTries,
    /// There is no such session any more.
    NoSession,
}

/// What the person of a session says to a device that waits.
#[derive(Clone, Debug)]
pub struct DeviceDecision {
    /// The hash of the session's secret.
    pub session_hash: [u8; 32],
    /// By which code the device waits.
    pub code: UserCode,
    /// Whether it is let in.
    pub approve: bool,
    /// Where the person is, for the audit log: who it is the session says.
    pub from: Visit,
}

/// A question of a device, with the personal token that it gets when it was let in.
#[derive(Clone, Debug)]
pub struct DevicePoll {
    /// The hash of what the device keeps.
    pub device_hash: [u8; 32],
    /// The hash of the token's secret.
    pub token_hash: [u8; 32],
    /// How long the token works.
    pub token_life: Duration,
    /// Where the device is, for the audit log.
    pub from: Visit,
}

/// What a device is told (RFC 8628, section 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// Its person has not decided yet.
    Pending,
    /// The same, and it asks too often: five seconds more from now on.
    SlowDown,
    /// Its person said no.
    Denied,
    /// It waited too long, or got its answer before.
    Expired,
    /// It was let in, by this user, and the token works from now on until then.
    Approved {
        /// Whose token it is.
        user: AccountName,
        /// The most that it is good for.
        role: Role,
        /// Until when it works.
        expires_at: Timestamp,
    },
}

/// Device logins, on any node.
#[async_trait]
pub trait DeviceLogins: Send + Sync + 'static {
    /// Starts one, and forgets some that waited too long.
    async fn start_device_login(&self, login: NewDeviceLogin) -> Result<DeviceStart, StoreError>;

    /// What waits by a code, for the person of a session.
    async fn find_device_login(
        &self,
        session_hash: [u8; 32],
        code: UserCode,
    ) -> Result<DeviceFind, StoreError>;

    /// Lets a device in as the person of a session, or not. [`Change::NotFound`] where nothing waits.
    /// The audit log is told of it.
    async fn decide_device_login(&self, decision: DeviceDecision) -> Result<Change, StoreError>;

    /// Answers a device. Where it was let in, the token is made in the same transaction, once.
    async fn poll_device_login(&self, poll: DevicePoll) -> Result<DeviceAnswer, StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn a_code_is_understood_as_people_type_it() {
        let code = UserCode::new(&SystemRandom);
        let shown = code.to_string();
        assert_eq!(shown.len(), 9);
        let spaced = format!(" {}", shown.replace('-', " "));
        for typed in [&shown, &shown.to_lowercase(), code.as_str(), &spaced] {
            assert_eq!(typed.parse::<UserCode>().unwrap(), code);
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-FGHJ", "BCDF_GHJK", "бвгд-жзкл"] {
            assert!(wrong.parse::<UserCode>().is_err(), "{wrong}");
        }
    }
}
