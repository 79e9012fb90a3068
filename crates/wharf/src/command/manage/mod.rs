//! The commands of people who manage a registry, over its management API: each noun has a file.

pub mod access;
mod at;
pub mod audit;
pub mod du;
pub mod findings;
pub mod invite;
pub mod login;
pub mod logout;
mod named;
pub mod org;
mod output;
mod policy;
mod quota;
pub mod repo;
pub mod restore;
pub mod robot;
mod secrets;
pub mod sign_up;
pub mod tag;
pub mod team;
mod terminal;
pub mod token;
pub mod user;
pub mod whoami;
