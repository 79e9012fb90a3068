//! `wharf admin trust`: which tokens of other issuers stand for a robot.

use std::io::{Write, stdout};

use anyhow::{Context, bail, ensure};
use clap::Args;
use wharf_core::metadata::{Conditions, NewTrustRule, RemoveTrustRule};
use wharf_core::permissions::RobotName;

use crate::command::wiring::metadata::Stores;
use crate::config::Config;

/// The flags of `wharf admin trust`.
#[derive(Debug, Args)]
pub struct Trust {
    /// NAMESPACE+NAME
    robot: RobotName,
    /// Who signs the tokens: one of workloads.issuers or workloads.jwks_files
    #[arg(long)]
    issuer: Option<String>,
    /// For whom the tokens must be; what the registry calls itself without it (access.service)
    #[arg(long, requires = "issuer")]
    audience: Option<String>,
    /// What a token must say, such as repository=team/app or /kubernetes.io/namespace=ci; all that are given must hold
    #[arg(long, value_name = "CLAIM=PATTERN", requires = "issuer")]
    claim: Vec<String>,
    /// The number of a rule to take away
    #[arg(long, conflicts_with = "issuer")]
    remove: Option<i64>,
}

impl Trust {
    /// Does it.
    pub async fn run(&self, stores: &Stores, config: &Config) -> anyhow::Result<()> {
        let (robot, what) = (self.robot.clone(), format!("trust rule of robot {}", self.robot));
        match (&self.issuer, self.remove) {
            (Some(issuer), _) => {
                ensure!(
                    is_known(config, issuer),
                    "{issuer} is no issuer of workloads.issuers or workloads.jwks_files: nobody would be trusted \
                     by the rule"
                );
                let conditions = Conditions::parse(self.claim.iter().map(String::as_str));
                let conditions = conditions.context("--claim")?;
                let ours = || config.access.service.as_str().to_owned();
                let audience = self.audience.clone().unwrap_or_else(ours);
                let rule = NewTrustRule { robot, issuer: issuer.clone(), audience, conditions };
                super::change(&stores.accounts, rule, &what).await
            }
            (None, Some(id)) => {
                super::change(&stores.accounts, RemoveTrustRule { robot, id }, &what).await
            }
            (None, None) => self.list(stores).await,
        }
    }

    async fn list(&self, stores: &Stores) -> anyhow::Result<()> {
        let Some(rules) = stores.trust.list_rules(self.robot.clone()).await? else {
            bail!("there is no robot {}", self.robot);
        };
        for rule in rules {
            let conditions = rule.conditions.to_string().replace('\n', " ");
            let (id, issuer, audience) = (rule.id, rule.issuer, rule.audience);
            writeln!(stdout(), "{id}: {issuer} for {audience}: {conditions}")?;
        }
        Ok(())
    }
}

fn is_known(config: &Config, issuer: &str) -> bool {
    let workloads = &config.workloads;
    workloads.issuers.iter().any(|known| known.as_str() == issuer)
        || workloads.jwks_files.iter().any(|known| known.issuer.as_str() == issuer)
}
