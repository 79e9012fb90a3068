//! Who changes something, from where and in which request: what the audit log says of a change.

use std::net::IpAddr;

use crate::permissions::{Caller, Principal};

/// Who changes something. Transactions record it with the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The principal, in the form in which it is recorded.
    pub by: String,
    /// Where the request came from, as far as that can be trusted; nowhere where no request is behind it.
    pub address: Option<IpAddr>,
    /// The request's id, as its reply and the access log say it.
    pub request_id: Option<String>,
}

impl Actor {
    /// The registry itself, or who has its database.
    #[must_use]
    pub fn system() -> Self {
        Self::from(&Principal::System)
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self { by: principal.to_string(), address: None, request_id: None }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self {
            by: caller.principal.to_string(),
            address: caller.address,
            request_id: caller.request_id.clone(),
        }
    }
}

/// Somebody of that name, from nowhere.
impl From<&str> for Actor {
    fn from(by: &str) -> Self {
        Self { by: by.to_owned(), address: None, request_id: None }
    }
}
