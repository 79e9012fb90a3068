//! `wharf admin ldap`: how somebody stands in the directory, as a login would see it.

use std::io::{Write as _, stdout};

use anyhow::Context;
use clap::Args;

use crate::command::wiring;
use crate::config::Config;

/// Who.
#[derive(Debug, Args)]
pub struct Ldap {
    /// The name that somebody logs in by
    name: String,
}

impl Ldap {
    /// Asks the directory, and writes out what it says. Nobody's password is asked for, and nothing is changed.
    pub async fn run(&self, config: &Config) -> anyhow::Result<()> {
        let directory = wiring::ldap::directory(config)?;
        let directory = directory.context("ldap.urls names no directory")?;
        let found = directory.look_up(&self.name).await?;
        let filter = config.ldap.filter.fill(&self.name, "");
        let found = found.with_context(|| {
            format!("{filter} finds no entry, or more than one, below ldap.base")
        })?;
        let mut out = stdout();
        writeln!(out, "entry: {}", found.dn)?;
        writeln!(out, "subject: {}", found.subject)?;
        writeln!(out, "name: {}", found.name)?;
        if let Some(mail) = found.mail {
            writeln!(out, "mail: {mail}")?;
        }
        for group in found.groups {
            writeln!(out, "group: {}={group}", config.ldap.provider)?;
        }
        Ok(())
    }
}
