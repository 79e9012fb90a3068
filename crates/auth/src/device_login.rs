//! Lets devices in (RFC 8628): codes made by chance, and a personal token for who was let in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::authority::Secret;
use wharf_core::browser::{BrowserSecret, Visit};
use wharf_core::clock::Random;
use wharf_core::devices::{DeviceGrant, DeviceRefusal, DeviceRequest, DeviceToken, Devices};
use wharf_core::limits::client_of;
use wharf_core::metadata::{
    Change, DeviceAnswer, DeviceDecision, DeviceFind, DeviceLogins, DevicePoll, DeviceStart,
    NewDeviceLogin, UserCode,
};

use crate::admission::Admission;
use crate::secret::{MachineSecret, SecretKind};

/// How long a device waits for its person.
const CODE_LIFE: Duration = Duration::from_secs(600);

/// The least time between two questions of a device.
const INTERVAL: Duration = Duration::from_secs(5);

/// The longest name of a device that is kept, in characters.
const LONGEST_CLIENT: usize = 60;

/// How many codes are tried until one is nobody else's: of 20⁸ a few thousand wait.
const TRIES: usize = 4;

/// Lets devices in.
pub struct DeviceAuthority {
    /// Who waits.
    pub devices: Arc<dyn DeviceLogins>,
    /// How often one client may ask.
    pub admission: Arc<Admission>,
    /// How long a device's token works.
    pub token_life: Duration,
    /// The chance in codes and tokens.
    pub random: Arc<dyn Random>,
}

#[async_trait]
impl Devices for DeviceAuthority {
    async fn begin(
        &self,
        request: DeviceRequest<'_>,
        from: Visit,
    ) -> Result<DeviceGrant, DeviceRefusal> {
        self.admit(&from).await?;
        let address = from.address.map(|it| client_of(it).to_string()).unwrap_or_default();
        let device_code = BrowserSecret::new(&*self.random);
        for _ in 0..TRIES {
            let user_code = UserCode::new(&*self.random);
            let login = NewDeviceLogin {
                device_hash: device_code.hash(),
                user_code: user_code.clone(),
                client: shown(request.client),
                address: address.clone(),
                role: request.role,
                life: CODE_LIFE,
                interval: INTERVAL,
            };
            match self.devices.start_device_login(login).await? {
                DeviceStart::Started => {
                    let device_code = Secret::new(device_code.expose());
                    return Ok(DeviceGrant {
                        device_code,
                        user_code,
                        life: CODE_LIFE,
                        interval: INTERVAL,
                    });
                }
                DeviceStart::CodeTaken => {}
                DeviceStart::TooMany => return Err(DeviceRefusal::TooMany(None)),
            }
        }
        Err(StoreError::Unavailable("no code is free".into()).into())
    }

    async fn token(&self, device_code: &str, from: Visit) -> Result<DeviceToken, DeviceRefusal> {
        self.admit(&from).await?;
        let device: BrowserSecret = device_code.parse().map_err(|_| DeviceRefusal::Expired)?;
        let secret = MachineSecret::new(SecretKind::PersonalToken, &*self.random);
        let poll = DevicePoll {
            device_hash: device.hash(),
            token_hash: secret.hash(),
            token_life: self.token_life,
            from,
        };
        match self.devices.poll_device_login(poll).await? {
            DeviceAnswer::Pending => Err(DeviceRefusal::Pending),
            DeviceAnswer::SlowDown => Err(DeviceRefusal::SlowDown),
            DeviceAnswer::Denied => Err(DeviceRefusal::Denied),
            DeviceAnswer::Expired => Err(DeviceRefusal::Expired),
            DeviceAnswer::Approved { user, role, .. } => {
                let token = Secret::new(secret.expose().to_owned());
                Ok(DeviceToken { token, user, role, life: self.token_life })
            }
        }
    }

    fn token_life(&self) -> Duration {
        self.token_life
    }

    async fn find(
        &self,
        session: &BrowserSecret,
        code: UserCode,
    ) -> Result<DeviceFind, StoreError> {
        self.devices.find_device_login(session.hash(), code).await
    }

    async fn decide(
        &self,
        session: &BrowserSecret,
        code: UserCode,
        approve: bool,
        from: Visit,
    ) -> Result<Change, StoreError> {
        let session_hash = session.hash();
        let decision = DeviceDecision { session_hash, code, approve, from };
        self.devices.decide_device_login(decision).await
    }
}

impl DeviceAuthority {
    async fn admit(&self, from: &Visit) -> Result<(), DeviceRefusal> {
        let admitted = self.admission.admit("device", from.address).await;
        admitted.map_err(|wait| DeviceRefusal::TooMany(Some(wait)))
    }
}

/// What a device calls itself, as its person is shown it: letters and digits of ASCII and a few marks, so that nothing is
/// made to look like something else.
fn shown(client: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || " -._/()@".contains(*letter);
    let name: String = client.chars().filter(plain).take(LONGEST_CLIENT).collect();
    let name = name.trim();
    if name.is_empty() { "a program without a name".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_name_of_a_device_looks_like_what_it_is() {
        for (client, name) in [
            ("wharf login (ada@laptop)", "wharf login (ada@laptop)"),
            ("  <b>Security</b>\n\u{202e}update ", "bSecurity/bupdate"),
            ("", "a program without a name"),
            ("\u{200b}\u{6f22}", "a program without a name"),
        ] {
            assert_eq!(shown(client), name, "{client:?}");
        }
        assert_eq!(shown(&"a".repeat(500)).len(), 60);
    }
}
