//! The management API, on nodes that issue tokens.

use std::sync::Arc;

use wharf_auth::making::SecretMaker;
use wharf_auth::password::Passwords;
use wharf_auth::recorded::AsRecorded;
use wharf_core::authority::Authenticator;
use wharf_core::clock::SystemRandom;
use wharf_http::api::management::{Management, ManagementParts, SignUpRule, Stores};

use super::{Node, limits};
use crate::config::{Config, SignUp};

/// The API on what a node works on.
pub fn open(
    config: &Config,
    node: &Node,
    passwords: Passwords,
    authenticator: Arc<dyn Authenticator>,
) -> Management {
    let recorded = Arc::new(AsRecorded::new(Arc::clone(&node.accounts)));
    let stores = Stores {
        accounts: Arc::clone(&node.accounts),
        directory: Arc::clone(&node.directory),
        identities: Arc::clone(&node.people.identities),
        immutability: Arc::clone(&node.immutability),
        trust: Arc::clone(&node.trust),
        audit: node.audit.clone(),
        counts: Arc::clone(&node.counts),
        retention: Arc::clone(&node.retention),
        writes: Arc::clone(&node.writes),
        usage: Arc::clone(&node.usage),
        integrity: Arc::clone(&node.integrity),
    };
    Management::new(ManagementParts {
        authenticator,
        permissions: Arc::clone(&recorded) as _,
        decisions: recorded,
        secrets: Arc::new(SecretMaker { passwords, random: Arc::new(SystemRandom) }),
        limiter: Arc::clone(&node.limiter),
        requests: config.limits.token_requests.0,
        changes: config.limits.changes.0,
        exempt_principals: config.limits.exempt_principals.to_vec(),
        exempt: limits::exempt_networks(config),
        sign_up: match config.access.sign_up {
            SignUp::Open => SignUpRule::Open,
            SignUp::Invited => SignUpRule::Invited,
            SignUp::Closed => SignUpRule::Closed,
        },
        pulls: super::pulls(config),
        service: config.access.service.as_str().to_owned(),
        stores,
    })
}
