//! Passwords of accounts: asked for, read from the standard input, or made up.

use clap::Args;
use wharf_auth::secret::{MachineSecret, SecretKind};
use wharf_client::Secret;
use wharf_core::clock::SystemRandom;

use crate::command::client::password;

/// How many characters a password has that is made up.
const LENGTH: usize = 24;

/// Where the password of an account comes from.
#[derive(Debug, Args)]
pub struct PasswordSource {
    /// Read the password from the standard input; else one is made up and printed
    #[arg(long)]
    pub password_stdin: bool,
}

/// A password, and whether it must be shown since nobody knows it.
pub struct Chosen {
    /// The password.
    pub password: Secret,
    /// Whether it was made up.
    pub made_up: bool,
}

impl PasswordSource {
    /// The password.
    pub fn choose(&self) -> anyhow::Result<Chosen> {
        if self.password_stdin {
            return Ok(Chosen { password: password()?, made_up: false });
        }
        let secret = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
        let prefix = SecretKind::PersonalToken.prefix().len();
        let text = &secret.expose()[prefix..prefix + LENGTH];
        Ok(Chosen { password: Secret::new(text), made_up: true })
    }
}
