//! `wharf access`: who was given which role, and why somebody may or may not do something.

use std::str::FromStr;

use clap::{Args, Subcommand};
use wharf_client::management::{Decision, Explanation, Grant, NewGrant};
use wharf_core::access::Role;
use wharf_core::metadata::Subject;
use wharf_core::operation::Action;
use wharf_core::permissions::{AccountName, Principal, RobotName};
use wharf_oci::{NamePattern, RepositoryName};

use super::at::{At, Session};
use super::output::{cell, moment, tell};
use crate::command::admin::roles;

/// The arguments of `wharf access`.
#[derive(Debug, Args)]
pub struct Access {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: AccessCommand,
}

#[derive(Debug, Subcommand)]
enum AccessCommand {
    /// Give a role, in place of the one given before on the same
    Grant {
        /// The user or organization whose repositories they are
        namespace: AccountName,
        #[arg(value_parser = roles())]
        role: Role,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a role away
    Revoke {
        /// The user or organization whose repositories they are
        namespace: AccountName,
        #[command(flatten)]
        reach: Reach,
    },
    /// List who was given which role
    #[command(visible_alias = "ls")]
    List {
        /// The user or organization whose repositories they are
        namespace: AccountName,
    },
    /// Tell what somebody may do with a repository, and why
    #[command(override_usage = "wharf access explain [OPTIONS] [[PRINCIPAL] [ACTION]] REPOSITORY")]
    Explain {
        /// Whose rights, what they would do, and with which repository: anonymous, user:NAME or robot:NAMESPACE+NAME
        /// (oneself, where nobody is named); pull, push or delete (all of them)
        #[arg(required = true, num_args = 1..=3, value_name = "WORDS")]
        words: Vec<String>,
    },
}

/// To whom, and on what.
#[derive(Debug, Args)]
struct Reach {
    /// user:NAME, team:NAME or robot:NAME
    #[arg(long, value_name = "SUBJECT")]
    to: Whom,
    /// On which repositories, such as team/app-*; else on all of the namespace
    #[arg(long, value_name = "PATTERN")]
    on: Option<NamePattern>,
}

/// A user, a team or a robot; a robot may be named as it logs in, by its namespace too.
#[derive(Clone, Debug)]
struct Whom {
    subject: Subject,
    namespace: Option<AccountName>,
}

impl FromStr for Whom {
    type Err = <Subject as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let robot = text.strip_prefix("robot:").and_then(|name| name.parse::<RobotName>().ok());
        Ok(match robot {
            Some(RobotName { namespace, name }) => {
                Self { subject: Subject::Robot(name), namespace: Some(namespace) }
            }
            None => Self { subject: text.parse()?, namespace: None },
        })
    }
}

impl Reach {
    fn texts(&self, namespace: &AccountName) -> anyhow::Result<(String, Option<String>)> {
        let Whom { subject, namespace: of } = &self.to;
        if let Some(of) = of.as_ref().filter(|of| *of != namespace) {
            anyhow::bail!(
                "a robot of {of} gets no role in {namespace}: it is for the repositories of {of}"
            );
        }
        Ok((subject.to_string(), self.on.as_ref().map(ToString::to_string)))
    }
}

/// Does it.
pub fn execute(command: &Access) -> anyhow::Result<()> {
    // A question that is none asks nothing.
    let question = match &command.command {
        AccessCommand::Explain { words } => Some(Question::parse(words)?),
        _ => None,
    };
    command.at.run(async |session| match question {
        Some(question) => question.ask(&session).await,
        None => run(&session, &command.command).await,
    })
}

async fn run(session: &Session, command: &AccessCommand) -> anyhow::Result<()> {
    let Session { api, out } = session;
    match command {
        AccessCommand::Grant { namespace, role, reach } => {
            let (subject, pattern) = reach.texts(namespace)?;
            let new =
                NewGrant { subject: &subject, role: role.name(), pattern: pattern.as_deref() };
            let answer = api.grant(namespace.as_str(), &new).await?;
            let on = pattern.unwrap_or_else(|| format!("all of {namespace}"));
            out.done(&answer, &format!("{subject} has the role {} on {on}", role.name()))
        }
        AccessCommand::Revoke { namespace, reach } => {
            let (subject, pattern) = reach.texts(namespace)?;
            api.revoke(namespace.as_str(), &subject, pattern.as_deref()).await?;
            let on = pattern.unwrap_or_else(|| format!("all of {namespace}"));
            tell(&format!("{subject} was taken its role on {on}"));
            Ok(())
        }
        AccessCommand::List { namespace } => {
            let columns = ["id", "to", "role", "on", "by", "since"];
            let row = |Grant { id, subject, role, pattern, created_by, created_at }| {
                let on = pattern.unwrap_or_else(|| "everything".to_owned());
                [id, subject, role, on, cell(created_by), moment(created_at)]
            };
            out.list(api.grants(namespace.as_str()), columns, row).await
        }
        AccessCommand::Explain { .. } => Ok(()),
    }
}

/// What is to be explained.
struct Question {
    principal: Option<Principal>,
    action: Option<Action>,
    repository: RepositoryName,
}

impl Question {
    fn parse(words: &[String]) -> anyhow::Result<Self> {
        let (principal, action, repository) = match words {
            [repository] => (None, None, repository),
            [word, repository] => match named(word) {
                Some(action) => (None, Some(action), repository),
                None => (Some(word), None, repository),
            },
            [principal, action, repository] => {
                let no_action = || anyhow::anyhow!("{action:?} is none of pull, push and delete");
                (Some(principal), Some(named(action).ok_or_else(no_action)?), repository)
            }
            _ => anyhow::bail!("name a repository"),
        };
        let principal = principal.map(|text| Principal::from_str(text)).transpose()?;
        Ok(Self { principal, action, repository: repository.parse()? })
    }

    async fn ask(self, session: &Session) -> anyhow::Result<()> {
        let principal = self.principal.map(|principal| principal.to_string());
        let answer = session.api.explain(principal.as_deref(), &self.repository).await?;
        let Explanation { pull, push, delete } = answer.value.clone();
        let all = [(Action::Pull, pull), (Action::Push, push), (Action::Delete, delete)];
        let wanted =
            all.into_iter().filter(|(action, _)| self.action.is_none_or(|it| it == *action));
        let fields: Vec<(&str, String)> = wanted
            .map(|(action, Decision { allowed, reason })| {
                let decided = if allowed { "allowed" } else { "denied" };
                match reason.starts_with(decided) {
                    true => (action.name(), reason),
                    false => (action.name(), format!("{decided}: {reason}")),
                }
            })
            .collect();
        session.out.one(&answer, &fields)
    }
}

fn named(text: &str) -> Option<Action> {
    Action::ALL.into_iter().find(|action| action.name() == text)
}
