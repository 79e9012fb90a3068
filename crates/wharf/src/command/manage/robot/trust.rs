//! `wharf robot trust`: which tokens of other issuers stand for a robot.

use std::collections::BTreeMap;

use clap::Subcommand;
use wharf_client::management::{NewTrustRule, TrustRule};
use wharf_core::permissions::RobotName;

use super::{parts, robot_name};
use crate::command::manage::at::Session;
use crate::command::manage::output::tell;

#[derive(Debug, Subcommand)]
pub enum Trust {
    /// List whose tokens stand for a robot
    #[command(visible_alias = "ls")]
    List {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
    },
    /// Have tokens of an issuer stand for a robot
    Create {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
        /// Who signs the tokens: an issuer that the registry's settings name (workloads.issuers)
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// For whom the tokens must be: what the registry calls itself
        #[arg(long)]
        audience: String,
        /// What a token must say, such as repository=team/app; all that are given must hold
        #[arg(long = "claim", value_name = "CLAIM=PATTERN", required = true, value_parser = claim)]
        claims: Vec<(String, String)>,
    },
    /// End a rule, and what workloads got by it
    #[command(visible_alias = "rm")]
    Delete {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
        /// Its number
        id: u32,
    },
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (claim, pattern) =
        text.split_once('=').ok_or("write CLAIM=PATTERN, such as repository=team/app")?;
    Ok((claim.to_owned(), pattern.to_owned()))
}

impl Trust {
    /// Does it.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Session { api, out } = session;
        match self {
            Self::List { robot } => {
                let (namespace, name) = parts(robot);
                let columns = ["id", "issuer", "audience", "claims"];
                let row = |rule: TrustRule| {
                    let TrustRule { id, issuer, audience, conditions, .. } = rule;
                    [id, issuer, audience, words(&conditions)]
                };
                out.list(api.trust_rules(namespace, name), columns, row).await
            }
            Self::Create { robot, issuer, audience, claims } => {
                let (namespace, name) = parts(robot);
                let conditions = claims.iter().cloned().collect();
                let rule = NewTrustRule { issuer, audience, conditions };
                let answer = api.create_trust_rule(namespace, name, &rule).await?;
                let id = &answer.value.id;
                out.done(&answer, &format!("rule {id}: tokens of {issuer} stand for robot {robot}"))
            }
            Self::Delete { robot, id } => {
                let (namespace, name) = parts(robot);
                api.delete_trust_rule(namespace, name, &id.to_string()).await?;
                tell(&format!("rule {id} of robot {robot} is ended"));
                Ok(())
            }
        }
    }
}

fn words(conditions: &BTreeMap<String, String>) -> String {
    let words = conditions.iter().map(|(claim, pattern)| format!("{claim}={pattern}"));
    words.collect::<Vec<_>>().join(" ")
}
