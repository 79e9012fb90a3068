//! The command line: its commands, one file each.

mod admin;
mod adopt;
mod announce;
mod client;
mod config;
mod copy;
mod gc;
mod groups;
mod inspect;
mod jobs;
mod ls;
mod manage;
mod migrate;
mod open_files;
mod progress;
mod pull;
mod push;
mod scrub;
mod serve;
mod set_up_code;
mod settings;
mod signals;
mod version;
mod wiring;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// A container registry.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, propagate_version = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What to do; `groups.rs` says what stands where in the help.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a registry.
    Serve(serve::Serve),
    /// Bring the database's schema up to date.
    Migrate(migrate::Migrate),
    /// Make accounts and grants in the database itself, for operators.
    Admin(admin::Admin),
    /// Take over the store of another registry where it lies.
    Adopt(adopt::Adopt),
    /// Look at background work.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Look at garbage, and collect it.
    #[command(subcommand)]
    Gc(gc::Gc),
    /// Look at what scrubs found: objects without rows, rows without objects, damaged contents.
    #[command(subcommand)]
    Scrub(scrub::Scrub),
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
    /// Log in to a registry.
    Login(manage::login::Login),
    /// Forget a login.
    Logout(manage::logout::Logout),
    /// Tell who the registry takes you for.
    #[command(name = "whoami")]
    WhoAmI(manage::whoami::WhoAmI),
    /// Make an account for yourself, be it the first one.
    SignUp(manage::sign_up::SignUp),
    /// Let somebody sign up.
    Invite(manage::invite::Invite),
    /// Users.
    User(manage::user::User),
    /// Organizations, and what holds in a namespace.
    Org(manage::org::Org),
    /// Teams, and who is in them.
    Team(manage::team::Team),
    /// Accounts of machines.
    Robot(manage::robot::Robot),
    /// Personal tokens.
    Token(manage::token::Token),
    /// Repositories, their tags and manifests, and how often they were pulled.
    Repo(manage::repo::Repo),
    /// Tags in their order, where they stood, back to there, and pins.
    Tag(manage::tag::Tag),
    /// Bring back a tag or a manifest that was deleted.
    Restore(manage::restore::Restore),
    /// Grants of roles, and why somebody may do something.
    Access(manage::access::Access),
    /// How much is held, and what sharing saves.
    Du(manage::du::Du),
    /// What scrubs found to be wrong, and what became of it.
    Findings(manage::findings::Findings),
    /// Who did what.
    Audit(manage::audit::Audit),
}

/// Reads the command line. Where it is wrong or asks for help, the process ends here.
pub fn parse() -> CommandLine {
    let matches = groups::in_help(CommandLine::command()).get_matches();
    CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Runs the command to its end.
pub fn run(line: CommandLine) -> anyhow::Result<()> {
    match line.command {
        Command::Serve(command) => serve::execute(&command),
        Command::Migrate(command) => migrate::execute(&command),
        Command::Admin(command) => admin::execute(&command),
        Command::Adopt(command) => adopt::execute(&command),
        Command::Jobs(command) => jobs::execute(&command),
        Command::Gc(command) => gc::execute(&command),
        Command::Scrub(command) => scrub::execute(&command),
        Command::Config(command) => config::execute(&command),
        Command::Version(command) => version::execute(&command),
        Command::Push(command) => push::execute(&command),
        Command::Pull(command) => pull::execute(&command),
        Command::Copy(command) => copy::execute(&command),
        Command::Ls(command) => ls::execute(&command),
        Command::Inspect(command) => inspect::execute(&command),
        Command::Login(command) => manage::login::execute(&command),
        Command::Logout(command) => manage::logout::execute(&command),
        Command::WhoAmI(command) => manage::whoami::execute(&command),
        Command::SignUp(command) => manage::sign_up::execute(&command),
        Command::Invite(command) => manage::invite::execute(&command),
        Command::User(command) => manage::user::execute(&command),
        Command::Org(command) => manage::org::execute(&command),
        Command::Team(command) => manage::team::execute(&command),
        Command::Robot(command) => manage::robot::execute(&command),
        Command::Token(command) => manage::token::execute(&command),
        Command::Repo(command) => manage::repo::execute(&command),
        Command::Tag(command) => manage::tag::execute(&command),
        Command::Restore(command) => manage::restore::execute(&command),
        Command::Access(command) => manage::access::execute(&command),
        Command::Du(command) => manage::du::execute(&command),
        Command::Findings(command) => manage::findings::execute(&command),
        Command::Audit(command) => manage::audit::execute(&command),
    }
}
