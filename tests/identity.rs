//! People who log in by a browser, at a real OpenID provider and by a password, and devices that they let in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "identity/browser.rs"]
mod browser;
#[path = "identity/devices.rs"]
mod devices;
#[path = "identity/fake.rs"]
mod fake;
#[path = "identity/forged.rs"]
mod forged;
#[path = "access/house.rs"]
mod house;
#[path = "identity/logins.rs"]
mod logins;
#[path = "identity/provider.rs"]
mod provider;
#[path = "identity/sessions.rs"]
mod sessions;
#[path = "identity/stand.rs"]
mod stand;
