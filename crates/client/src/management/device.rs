//! Logging in without a password: the registry shows a page, and lets this program in when a person says so there
//! (RFC 8628, "OAuth 2.0 Device Authorization Grant").

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use super::Management;
use super::request::MAX_REPLY;
use crate::connection::{Call, Payload, Reply, encode};
use crate::error::printable;
use crate::{Error, Secret};

/// How long to wait between two questions where the registry does not say (RFC 8628, section 3.2).
const DEFAULT_INTERVAL: u64 = 5;

/// What is added to that where it is too short (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The longest life of a code that is believed.
const LONGEST_LIFE: u64 = 3600;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A login that waits for its person.
#[derive(Debug, Deserialize)]
pub struct DeviceCode {
    #[serde(deserialize_with = "secret")]
    device_code: Secret,
    /// What the person types there.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// Where, with the code in it already.
    pub verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// What came of it: a personal token.
#[derive(Debug)]
pub struct DeviceToken {
    /// The token.
    pub token: Secret,
    /// Whose it is, where the registry says so.
    pub user: Option<String>,
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The registry has no such way, or it is not reached.
    #[error(transparent)]
    Client(#[from] Error),
    /// The person said no.
    #[error("the login was refused on the page of {0}")]
    Denied(String),
    /// Nobody said anything in time.
    #[error("nobody confirmed the login at {0} in time")]
    Expired(String),
    /// Something else that the registry says.
    #[error("{host} does not let in: {reason}")]
    Other {
        /// The registry.
        host: String,
        /// Its words.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    user: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    error_description: Option<String>,
}

impl Management {
    /// Begins a login; `client` is what this program calls itself, `scope` what it asks to be good for: `read`, `write`,
    /// `maintain` or `admin`.
    ///
    /// # Errors
    /// [`Error::Refused`] with 404 where the registry has no such way.
    pub async fn begin_device_login(&self, client: &str, scope: &str) -> Result<DeviceCode, Error> {
        let form = format!("client_id={}&scope={}", encode(client), encode(scope));
        let reply = self.send_form("/oauth2/device", form).await?;
        if !reply.status.is_success() {
            return Err(reply.refusal().await);
        }
        self.json(reply).await
    }

    /// Waits until the person has said yes or no, or the code ends.
    ///
    /// # Errors
    /// Where there is no token in the end.
    pub async fn end_device_login(
        &self,
        client: &str,
        code: &DeviceCode,
    ) -> Result<DeviceToken, DeviceError> {
        let (device, client) = (encode(code.device_code.expose()), encode(client));
        let form = format!("grant_type={}&device_code={device}&client_id={client}", encode(GRANT));
        let life = Duration::from_secs(code.expires_in.min(LONGEST_LIFE));
        let ends = Instant::now() + life;
        let mut interval = Duration::from_secs(code.interval.unwrap_or(DEFAULT_INTERVAL));
        while Instant::now() + interval < ends {
            tokio::time::sleep(interval).await;
            let reply = self.send_form("/oauth2/token", form.clone()).await?;
            if reply.status.is_success() {
                let granted: Granted = self.json(reply).await?;
                let token = Secret::new(granted.access_token);
                return Ok(DeviceToken { token, user: granted.user });
            }
            match self.refused(reply).await? {
                Wait::AsBefore => {}
                Wait::Longer => interval += SLOWER,
            }
        }
        Err(DeviceError::Expired(self.host.to_string()))
    }

    /// What a refusal means (RFC 8628, section 3.5).
    async fn refused(&self, reply: Reply) -> Result<Wait, DeviceError> {
        let host = self.host.to_string();
        let status = reply.status;
        let bytes = reply.bytes("the answer to a device", MAX_REPLY).await?;
        let refused: Refused = serde_json::from_slice(&bytes).map_err(|_| {
            Error::protocol(&host, format!("{status} to a device, without an error of OAuth"))
        })?;
        match refused.error.as_str() {
            "authorization_pending" => Ok(Wait::AsBefore),
            "slow_down" => Ok(Wait::Longer),
            "access_denied" => Err(DeviceError::Denied(host)),
            "expired_token" => Err(DeviceError::Expired(host)),
            other => {
                let reason = printable(&refused.error_description.unwrap_or(other.to_owned()));
                Err(DeviceError::Other { host, reason })
            }
        }
    }

    async fn send_form(&self, path: &str, form: String) -> Result<Reply, Error> {
        let uri = self.origin.uri(path)?;
        let mut call = Call::new(Method::POST, uri, self.origin.clone(), Vec::new());
        call.credentials = Some(None);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.client.call(call.body(kind, Payload::Bytes(Bytes::from(form)))).await
    }
}

/// How long to wait until the next question.
enum Wait {
    AsBefore,
    Longer,
}
