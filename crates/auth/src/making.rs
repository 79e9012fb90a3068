//! Makes secrets and hashes passwords, for those who manage accounts.

use std::sync::Arc;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::authority::{NewSecret, PasswordRefusal, Secret, SecretUse, Secrets};
use wharf_core::clock::Random;
use wharf_core::permissions::AccountName;

use crate::password::{HashError, Password, Passwords};
use crate::secret::{MachineSecret, SecretKind};

/// Makes secrets by chance, and hashes passwords a bounded number at once.
pub struct SecretMaker {
    /// Hashes.
    pub passwords: Passwords,
    /// The chance.
    pub random: Arc<dyn Random>,
}

#[async_trait]
impl Secrets for SecretMaker {
    async fn hash_password(
        &self,
        user: &AccountName,
        password: &Secret,
    ) -> Result<String, PasswordRefusal> {
        let password = Password::new(password.expose());
        password.check(user.as_str()).map_err(|unfit| PasswordRefusal::Unfit(unfit.to_string()))?;
        self.passwords.hash(&password).await.map_err(|error| match error {
            HashError::Busy => PasswordRefusal::Busy,
            HashError::Corrupt(reason) => StoreError::Corrupt(reason).into(),
        })
    }

    fn new_secret(&self, what_for: SecretUse) -> NewSecret {
        let kind = match what_for {
            SecretUse::PersonalToken => SecretKind::PersonalToken,
            SecretUse::Robot => SecretKind::RobotSecret,
            SecretUse::Invitation => SecretKind::Invitation,
        };
        let secret = MachineSecret::new(kind, &*self.random);
        NewSecret { secret: Secret::new(secret.expose().to_owned()), hash: secret.hash() }
    }

    fn is_made(&self, secret: &Secret) -> bool {
        MachineSecret::recognise(secret.expose()).is_some()
    }

    fn invitation_hash(&self, secret: &Secret) -> Option<[u8; 32]> {
        match MachineSecret::recognise(secret.expose())? {
            (SecretKind::Invitation, secret) => Some(secret.hash()),
            _ => None,
        }
    }
}
