//! `wharf robot`: accounts of machines, by secrets that are shown once or by trust.

mod trust;

use clap::{Args, Subcommand};
use wharf_client::management::{NewRobot, Robot as Record, RobotChange};
use wharf_core::permissions::{AccountName, NoAccountName, RobotName};

use super::at::{At, Session};
use super::output::{cell, moment, tell, yes};

/// The arguments of `wharf robot`.
#[derive(Debug, Args)]
pub struct Robot {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: RobotCommand,
}

#[derive(Debug, Subcommand)]
enum RobotCommand {
    /// List the robots of a user or an organization
    #[command(visible_alias = "ls")]
    List {
        /// The user or organization
        namespace: AccountName,
    },
    /// Show a robot
    Show {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
    },
    /// Make a robot, and print its secret
    Create {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
        /// After how many days it stops working; else never
        #[arg(long)]
        days: Option<u16>,
    },
    /// Give a robot a new secret, print it, and end the old one
    Rotate {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
        /// After how many days the robot stops working; else never
        #[arg(long)]
        days: Option<u16>,
    },
    /// Have a robot stop working at another time
    Expire {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
        /// So many days from now
        #[arg(long, required_unless_present = "never")]
        days: Option<u16>,
        /// At no time
        #[arg(long, conflicts_with = "days")]
        never: bool,
    },
    /// Take all rights from a robot, until it is enabled again
    Disable {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
    },
    /// Give a disabled robot its rights back
    Enable {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
    },
    /// Delete a robot, with its grants
    #[command(visible_alias = "rm")]
    Delete {
        /// NAMESPACE+NAME
        #[arg(value_parser = robot_name)]
        robot: RobotName,
    },
    /// Have tokens of a CI system or cluster stand for a robot
    #[command(subcommand)]
    Trust(trust::Trust),
}

/// Does it.
pub fn execute(command: &Robot) -> anyhow::Result<()> {
    command.at.run(async |session| run(&session, &command.command).await)
}

/// A robot's name; the error says what is missing.
fn robot_name(text: &str) -> Result<RobotName, String> {
    if !text.contains('+') {
        return Err("write NAMESPACE+NAME, such as team+ci".to_owned());
    }
    text.parse().map_err(|error: NoAccountName| error.to_string())
}

/// Namespace and name.
fn parts(robot: &RobotName) -> (&str, &str) {
    (robot.namespace.as_str(), robot.name.as_str())
}

async fn run(session: &Session, command: &RobotCommand) -> anyhow::Result<()> {
    let Session { api, out } = session;
    match command {
        RobotCommand::List { namespace } => {
            let columns = ["robot", "disabled", "until", "by", "since"];
            let row = |robot: Record| {
                let Record { name, expires_at, disabled, created_by, created_at, .. } = robot;
                [name, yes(disabled), until(expires_at), cell(created_by), moment(created_at)]
            };
            out.list(api.robots(namespace.as_str()), columns, row).await
        }
        RobotCommand::Show { robot } => {
            let (namespace, name) = parts(robot);
            let answer = api.robot(namespace, name).await?;
            let Record { name, expires_at, disabled, created_by, created_at, .. } =
                answer.value.clone();
            out.one(
                &answer,
                &[
                    ("robot", name),
                    ("disabled", yes(disabled)),
                    ("until", until(expires_at)),
                    ("by", cell(created_by)),
                    ("since", moment(created_at)),
                ],
            )
        }
        RobotCommand::Create { robot, days } => {
            let (namespace, name) = parts(robot);
            let answer = api.create_robot(namespace, &NewRobot { name, days: *days }).await?;
            let made = format!("robot {robot} is made; its secret");
            let another = format!("`wharf robot rotate {robot}` makes another one");
            out.secret(&answer, answer.value.secret.as_ref(), &made, &another)
        }
        RobotCommand::Rotate { robot, days } => {
            let (namespace, name) = parts(robot);
            let answer = api.rotate_robot(namespace, name, *days).await?;
            let made = format!("the old secret of robot {robot} is ended; its new one");
            let another = format!("`wharf robot rotate {robot}` makes another one");
            out.secret(&answer, answer.value.secret.as_ref(), &made, &another)
        }
        RobotCommand::Expire { robot, days, never: _ } => {
            let change = RobotChange { disabled: None, days: Some(*days) };
            change_robot(session, robot, change, "is to end at another time").await
        }
        RobotCommand::Disable { robot } => {
            let change = RobotChange { disabled: Some(true), days: None };
            change_robot(session, robot, change, "is disabled").await
        }
        RobotCommand::Enable { robot } => {
            let change = RobotChange { disabled: Some(false), days: None };
            change_robot(session, robot, change, "is enabled").await
        }
        RobotCommand::Delete { robot } => {
            let (namespace, name) = parts(robot);
            api.delete_robot(namespace, name).await?;
            tell(&format!("robot {robot} is deleted"));
            Ok(())
        }
        RobotCommand::Trust(trust) => trust.run(session).await,
    }
}

async fn change_robot(
    session: &Session,
    robot: &RobotName,
    change: RobotChange,
    what: &str,
) -> anyhow::Result<()> {
    let (namespace, name) = parts(robot);
    let answer = session.api.change_robot(namespace, name, change).await?;
    session.out.done(&answer, &format!("robot {robot} {what}"))
}

fn until(end: Option<String>) -> String {
    end.map_or_else(|| "for ever".to_owned(), moment)
}
