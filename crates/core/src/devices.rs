//! Devices: the seam to who lets programs in that have no browser (RFC 8628).

use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;
use crate::access::Role;
use crate::authority::Secret;
use crate::browser::{BrowserSecret, Visit};
use crate::metadata::{Change, DeviceFind, UserCode};
use crate::permissions::AccountName;

/// A login of a device, as it begins (RFC 8628, section 3.2).
#[derive(Clone, Debug)]
pub struct DeviceGrant {
    /// What the device keeps, and asks with.
    pub device_code: Secret,
    /// What its person types.
    pub user_code: UserCode,
    /// How long it waits.
    pub life: Duration,
    /// The least time between two of its questions.
    pub interval: Duration,
}

/// What a device asks for.
#[derive(Clone, Copy, Debug)]
pub struct DeviceRequest<'a> {
    /// What it calls itself.
    pub client: &'a str,
    /// The most that its token is to be good for.
    pub role: Role,
}

/// What a device gets that was let in: a personal token.
#[derive(Clone, Debug)]
pub struct DeviceToken {
    /// The token.
    pub token: Secret,
    /// Whose.
    pub user: AccountName,
    /// The most that it is good for.
    pub role: Role,
    /// How long it works.
    pub life: Duration,
}

/// Why a device gets nothing, or nothing yet.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceRefusal {
    /// Its person has not decided yet.
    #[error("nobody has decided yet")]
    Pending,
    /// The same, and it asks too often.
    #[error("nobody has decided yet: ask five seconds less often")]
    SlowDown,
    /// Its person said no.
    #[error("the login was refused")]
    Denied,
    /// It waited too long, or got its answer before.
    #[error("the code is not known, has expired, or was used")]
    Expired,
    /// As many wait as may, or ask too often, from where it is.
    #[error("too many logins from there: wait, and try again")]
    TooMany(Option<Duration>),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets devices in when a person says so who is logged in by a browser.
#[async_trait]
pub trait Devices: Send + Sync + 'static {
    /// Begins a login of a device.
    async fn begin(
        &self,
        request: DeviceRequest<'_>,
        from: Visit,
    ) -> Result<DeviceGrant, DeviceRefusal>;

    /// What a device gets that asks with its code: once.
    async fn token(&self, device_code: &str, from: Visit) -> Result<DeviceToken, DeviceRefusal>;

    /// How long a token works that a device gets.
    fn token_life(&self) -> Duration;

    /// What waits by a code, for the person of a session.
    async fn find(&self, session: &BrowserSecret, code: UserCode)
    -> Result<DeviceFind, StoreError>;

    /// Lets a device in as the person of a session, or not. [`Change::NotFound`] where nothing waits.
    async fn decide(
        &self,
        session: &BrowserSecret,
        code: UserCode,
        approve: bool,
        from: Visit,
    ) -> Result<Change, StoreError>;
}
