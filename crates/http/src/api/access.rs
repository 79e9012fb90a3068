//! Who asks: the access token of a request, and the challenge that tells its client where to get one (the registry
//! token specification; RFC 6750, section 3).

use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use wharf_core::authority::{BadToken, TokenIssuer, TokenVerifier};
use wharf_core::operation::{Action, Requirement};
use wharf_core::permissions::{Caller, Principal};
use wharf_oci::ErrorCode;

use crate::api::browser::Browsers;
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::management::Management;

/// Whose tokens are taken, and who issues them.
#[derive(Clone)]
pub struct Access {
    /// Verifies tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Issues them, where this node does.
    pub issuer: Option<Arc<dyn TokenIssuer>>,
    /// The management API, where this node issues tokens.
    pub management: Option<Management>,
    /// Who serves people with a browser, where this node issues tokens.
    pub browsers: Option<Browsers>,
    /// What the registry calls itself in challenges and tokens.
    pub service: String,
    /// Where tokens are issued; on this node where nothing is said.
    pub realm: Option<String>,
}

impl Access {
    /// Who a request is of.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, BadToken> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Ok(Caller::new(Principal::Anonymous));
        };
        if headers.get_all(AUTHORIZATION).iter().count() > 1 {
            return Err(BadToken);
        }
        let text = header.to_str().map_err(|_| BadToken)?;
        match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                self.verifier.verify(token.trim())
            }
            // A name and a password belong to the token's end-point: the challenge says where that is.
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") => {
                Ok(Caller::new(Principal::Anonymous))
            }
            _ => Err(BadToken),
        }
    }

    /// 401, and where to get a token that does.
    pub(super) fn challenge(
        &self,
        call: &Call,
        needed: Option<String>,
        error: Option<&str>,
    ) -> Failure {
        let realm = self.realm.clone().unwrap_or_else(|| format!("{}/token", call.absolute_base()));
        let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{}\"", self.service);
        for (name, value) in [("scope", needed.as_deref()), ("error", error)] {
            if let Some(value) = value {
                challenge.push_str(&format!(",{name}=\"{value}\""));
            }
        }
        let message = "authentication required: get a token where WWW-Authenticate says";
        Failure::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
            .with(WWW_AUTHENTICATE, &challenge)
    }
}

/// The scope that has what is required. A push asks for pull as well, since clients look before they send.
pub(super) fn needed(requirement: Requirement<'_>) -> Option<String> {
    match requirement {
        // What is managed is asked for in another way than by scopes.
        Requirement::Access
        | Requirement::Role(..)
        | Requirement::Namespace(..)
        | Requirement::Teams(..)
        | Requirement::Own(..)
        | Requirement::Site => None,
        Requirement::Catalog => Some("registry:catalog:*".to_owned()),
        Requirement::Repository(name, Action::Push) => Some(format!("repository:{name}:pull,push")),
        Requirement::Repository(name, action) => {
            Some(format!("repository:{name}:{}", action.name()))
        }
    }
}
