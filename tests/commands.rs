//! The commands of people who manage a registry: the program against a server, as eyes, pipes and programs see them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "access/house.rs"]
mod house;

#[path = "commands/accounts.rs"]
mod accounts;
#[path = "identity/browser.rs"]
mod browser;
#[path = "commands/desk.rs"]
mod desk;
#[path = "commands/devices.rs"]
mod devices;
#[path = "commands/findings.rs"]
mod findings;
#[path = "commands/grants.rs"]
mod grants;
#[path = "commands/helper.rs"]
mod helper;
#[path = "commands/logins.rs"]
mod logins;
#[path = "commands/lossy.rs"]
mod lossy;
#[path = "commands/machines.rs"]
mod machines;
#[path = "commands/policies.rs"]
mod policies;
#[path = "commands/prompts.rs"]
mod prompts;
#[path = "commands/quotas.rs"]
mod quotas;
#[path = "commands/read_only.rs"]
mod read_only;
#[path = "commands/records.rs"]
mod records;
#[path = "commands/repositories.rs"]
mod repositories;
#[path = "commands/retention.rs"]
mod retention;
#[path = "commands/tags.rs"]
mod tags;
#[path = "commands/walk.rs"]
mod walk;
