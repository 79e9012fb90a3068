//! The command line: its commands, one file each.

mod admin;
mod announce;
mod client;
mod config;
mod copy;
mod inspect;
mod jobs;
mod ls;
mod migrate;
mod open_files;
mod progress;
mod pull;
mod push;
mod serve;
mod set_up_code;
mod settings;
mod signals;
mod version;
mod wiring;

use clap::{Parser, Subcommand};

/// A container registry.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, propagate_version = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What to do. The commands of the client stand below those of the server.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a registry.
    Serve(serve::Serve),
    /// Bring the database's schema up to date.
    Migrate(migrate::Migrate),
    /// Make accounts and grants, in the database itself.
    Admin(admin::Admin),
    /// Look at background work.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::Config),
    /// Print the version.
    Version(version::Version),
    /// Push an image from a folder, a tar or another registry.
    Push(push::Push),
    /// Pull an image into a folder or a tar.
    Pull(pull::Pull),
    /// Copy an image from one registry to another, or within one.
    Copy(copy::Copy),
    /// List the repositories of a registry, or the tags of a repository.
    Ls(ls::Ls),
    /// Show what an image is made of.
    Inspect(inspect::Inspect),
}

/// Runs the command to its end.
pub fn run(line: CommandLine) -> anyhow::Result<()> {
    match line.command {
        Command::Serve(command) => serve::execute(&command),
        Command::Migrate(command) => migrate::execute(&command),
        Command::Admin(command) => admin::execute(&command),
        Command::Jobs(command) => jobs::execute(&command),
        Command::Config(command) => config::execute(&command),
        Command::Version(command) => version::execute(&command),
        Command::Push(command) => push::execute(&command),
        Command::Pull(command) => pull::execute(&command),
        Command::Copy(command) => copy::execute(&command),
        Command::Ls(command) => ls::execute(&command),
        Command::Inspect(command) => inspect::execute(&command),
    }
}
