//! Passwords of accounts: asked for, read from the standard input, or made up.

use clap::Args;
use wharf_client::Secret;

use crate::command::admin::made_up_password;
use crate::command::client::password;

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
        Ok(Chosen { password: Secret::new(made_up_password()), made_up: true })
    }
}
