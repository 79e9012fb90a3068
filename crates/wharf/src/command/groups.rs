//! The commands in the help, by what they are for: clap lists them as one.

use std::fmt::Write as _;

use clap::Command;

/// What each command is for.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "Run a registry",
        &["serve", "migrate", "admin", "adopt", "jobs", "gc", "scrub", "config", "version"],
    ),
    ("Move images", &["push", "pull", "copy", "ls", "inspect"]),
    ("Log in", &["login", "logout", "whoami", "sign-up"]),
    (
        "Manage a registry",
        &[
            "user", "invite", "org", "team", "robot", "token", "repo", "tag", "restore", "access",
            "du", "findings", "audit",
        ],
    ),
];

/// The command line with its commands in groups.
pub fn in_help(command: Command) -> Command {
    let heading = *command.get_styles().get_header();
    let literal = *command.get_styles().get_literal();
    let names = GROUPS.iter().flat_map(|(_, names)| names.iter());
    let width = names.map(|name| name.len()).max().unwrap_or_default();
    let mut groups = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(groups, "{heading}{title}:{heading:#}");
        for name in names {
            let found = command.find_subcommand(name).and_then(Command::get_about);
            let about = found.map(ToString::to_string).unwrap_or_default();
            let about = about.trim_end_matches('.');
            let _ = writeln!(groups, "  {literal}{name:<width$}{literal:#}  {about}");
        }
        groups.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{heading}Options:{heading:#}\n{{options}}\n\n\
         `wharf help COMMAND` tells more of a command."
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::command::CommandLine;

    #[test]
    fn each_command_is_in_one_group() {
        let command = CommandLine::command();
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        all.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn the_command_line_is_sound() {
        in_help(CommandLine::command()).debug_assert();
    }
}
