//! `wharf org policy` and `wharf repo policy`: by which policies tags freeze, and what these say of tags.

use clap::{Args, Subcommand};
use wharf_client::management::{
    CoveredBy, FrozenBy, ImmutabilityPolicy, ImmutabilityRule, PoliciesOf, TagImmutability,
};
use wharf_core::immutability::{MutableFor, PolicyName};
use wharf_core::permissions::AccountName;
use wharf_oci::{RepositoryName, Tag, TagPattern};

use super::at::Session;
use super::output::{cell, moment, tell};
use super::terminal;
use crate::config::Period;

/// What is done with the policies of an organization or a user.
#[derive(Debug, Subcommand)]
pub enum OrgPolicy {
    /// List the policies that hold in all repositories of an organization, or of a user
    #[command(visible_alias = "ls")]
    List { name: AccountName },
    /// Make a policy by which tags freeze in all repositories
    Create {
        name: AccountName,
        #[command(flatten)]
        new: Says,
    },
    /// Have a policy say something else, all of it
    Change {
        name: AccountName,
        #[command(flatten)]
        new: Says,
    },
    /// Take a policy away
    #[command(visible_alias = "rm")]
    Delete {
        name: AccountName,
        #[command(flatten)]
        gone: Gone,
    },
}

/// What is done with the policies of a repository.
#[derive(Debug, Subcommand)]
pub enum RepoPolicy {
    /// List the policies of a repository; those of its organization hold as well
    #[command(visible_alias = "ls")]
    List { repository: RepositoryName },
    /// Make a policy by which tags freeze
    Create {
        repository: RepositoryName,
        #[command(flatten)]
        new: Says,
    },
    /// Have a policy say something else, all of it
    Change {
        repository: RepositoryName,
        #[command(flatten)]
        new: Says,
    },
    /// Take a policy away
    #[command(visible_alias = "rm")]
    Delete {
        repository: RepositoryName,
        #[command(flatten)]
        gone: Gone,
    },
    /// Tell what all policies say of the tags of a repository, or of one
    Check { repository: RepositoryName, tag: Option<Tag> },
}

/// A policy, and what it says.
#[derive(Debug, Args)]
pub struct Says {
    /// What the policy is called
    policy: PolicyName,
    /// Which tags freeze, such as v* or '*' for all
    #[arg(long = "tags", value_name = "PATTERN", required = true)]
    patterns: Vec<TagPattern>,
    /// Which of those do not, such as latest or '*-rc*'
    #[arg(long = "except", value_name = "PATTERN")]
    exceptions: Vec<TagPattern>,
    /// For how long after it was made a tag may change, such as 1h; else it freezes at once
    #[arg(long, value_name = "TIME", value_parser = mutable_for, default_value = "0s")]
    mutable_for: MutableFor,
}

/// A policy that is to go.
#[derive(Debug, Args)]
pub struct Gone {
    /// What the policy is called
    policy: PolicyName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// How long a tag may be mutable.
type Time = Period<0, { MutableFor::MOST as u64 * 1000 }>;

fn mutable_for(text: &str) -> Result<MutableFor, String> {
    let form =
        || "write a whole number of seconds, minutes, hours or days up to ten years, such as 1h";
    let time = text.parse::<Time>().map_err(|_| form())?.get();
    if time.subsec_nanos() > 0 {
        return Err(form().to_owned());
    }
    MutableFor::from_seconds(time.as_secs()).map_err(|error| error.to_string())
}

impl Says {
    fn rule(&self) -> ImmutabilityRule {
        let texts =
            |patterns: &[TagPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        ImmutabilityRule {
            patterns: texts(&self.patterns),
            exceptions: texts(&self.exceptions),
            mutable_seconds: self.mutable_for.seconds().into(),
        }
    }
}

impl OrgPolicy {
    /// Does it.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List { name } => list(session, PoliciesOf::Namespace(name.as_str())).await,
            Self::Create { name, new } => {
                create(session, PoliciesOf::Namespace(name.as_str()), new).await
            }
            Self::Change { name, new } => {
                change(session, PoliciesOf::Namespace(name.as_str()), new).await
            }
            Self::Delete { name, gone } => {
                delete(session, PoliciesOf::Namespace(name.as_str()), gone).await
            }
        }
    }
}

impl RepoPolicy {
    /// Does it.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List { repository } => list(session, PoliciesOf::Repository(repository)).await,
            Self::Create { repository, new } => {
                create(session, PoliciesOf::Repository(repository), new).await
            }
            Self::Change { repository, new } => {
                change(session, PoliciesOf::Repository(repository), new).await
            }
            Self::Delete { repository, gone } => {
                delete(session, PoliciesOf::Repository(repository), gone).await
            }
            Self::Check { repository, tag } => check(session, repository, tag.as_ref()).await,
        }
    }
}

/// In the largest unit that fits.
fn time(seconds: u64) -> String {
    let text = format!("{seconds}s");
    text.parse::<Time>().map_or(text, |time| time.to_string())
}

async fn list(Session { api, out }: &Session, of: PoliciesOf<'_>) -> anyhow::Result<()> {
    let columns = ["policy", "tags", "except", "mutable for", "by", "since"];
    let row = |policy: ImmutabilityPolicy| {
        let ImmutabilityPolicy { name, patterns, exceptions, mutable_seconds, .. } = policy;
        [
            name,
            patterns.join(", "),
            cell((!exceptions.is_empty()).then(|| exceptions.join(", "))),
            time(mutable_seconds),
            cell(policy.created_by),
            moment(policy.created_at),
        ]
    };
    out.list(api.immutability_policies(of), columns, row).await
}

async fn create(
    Session { api, out }: &Session,
    of: PoliciesOf<'_>,
    new: &Says,
) -> anyhow::Result<()> {
    let answer = api.create_immutability_policy(of, new.policy.as_str(), &new.rule()).await?;
    out.done(&answer, &format!("policy {} is made", new.policy))
}

async fn change(
    Session { api, out }: &Session,
    of: PoliciesOf<'_>,
    new: &Says,
) -> anyhow::Result<()> {
    let answer = api.change_immutability_policy(of, new.policy.as_str(), &new.rule()).await?;
    out.done(&answer, &format!("policy {} is changed", new.policy))
}

async fn delete(
    Session { api, .. }: &Session,
    of: PoliciesOf<'_>,
    Gone { policy, yes }: &Gone,
) -> anyhow::Result<()> {
    let what = format!("delete the policy {policy}, so that the tags that it froze may change");
    terminal::confirm(&what, *yes).await?;
    api.delete_immutability_policy(of, policy.as_str()).await?;
    tell(&format!("policy {policy} is deleted"));
    Ok(())
}

async fn check(
    Session { api, out }: &Session,
    repository: &RepositoryName,
    tag: Option<&Tag>,
) -> anyhow::Result<()> {
    let frozen = |by: Option<FrozenBy>| {
        by.map(|FrozenBy { of, policy, since }| format!("{policy} of {of} since {}", moment(since)))
    };
    let covering = |by: Vec<CoveredBy>| {
        let each = by.into_iter().map(|CoveredBy { of, policy, freezes_at }| {
            format!("{policy} of {of} from {}", moment(freezes_at))
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let Some(tag) = tag else {
        let row = |said: TagImmutability| {
            let covered = covering(said.covered_by);
            let covered = cell((!covered.is_empty()).then_some(covered));
            [said.tag, moment(said.created_at), cell(frozen(said.frozen_by)), covered]
        };
        let columns = ["tag", "since", "frozen by", "covered by"];
        return out.list(api.tags_immutability(repository), columns, row).await;
    };
    let answer = api.tag_immutability(repository, tag).await?;
    let said = answer.value.clone();
    let fields = [
        ("tag", said.tag),
        ("since", moment(said.created_at)),
        ("frozen by", cell(frozen(said.frozen_by))),
        ("covered by", covering(said.covered_by)),
    ];
    out.one(&answer, &fields)
}
