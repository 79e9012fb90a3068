//! How the fake registry asks who one is.

use http::request::Parts;
use http::{StatusCode, header};
use serde_json::json;

use super::reply::{self, Served, set};
use super::server::empty;

#[derive(Default)]
pub enum Auth {
    #[default]
    Open,
    /// `Basic` with this header.
    Basic(String),
    /// A token for each scope, from `/token`, which wants this `Basic` header where there is one.
    Bearer { basic: Option<String>, issued: Vec<Issued> },
}

/// A token that was given.
pub struct Issued {
    pub token: String,
    pub scopes: String,
    /// Whether it is not good any more.
    pub revoked: bool,
}

impl Auth {
    /// The reply to a request that may not pass.
    pub fn check(&mut self, host: &str, head: &Parts) -> Option<Served> {
        let sent = head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        match self {
            Self::Open => None,
            Self::Basic(expected) if sent == Some(expected.as_str()) => None,
            Self::Basic(_) => Some(ask("Basic realm=\"test\"")),
            Self::Bearer { basic, issued } if head.uri.path() == "/token" => {
                if basic.is_some() && sent != basic.as_deref() {
                    return Some(reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"));
                }
                let token = format!("token-{}", issued.len());
                let scopes = head.uri.query().unwrap_or_default().to_owned();
                let answer = json!({ "token": token, "expires_in": 300 }).to_string();
                issued.push(Issued { token, scopes, revoked: false });
                Some(reply::text(StatusCode::OK, &answer))
            }
            Self::Bearer { issued, .. } => {
                let needed = needed(head);
                let allows = |one: &Issued| {
                    sent == Some(&format!("Bearer {}", one.token))
                        && !one.revoked
                        && one.scopes.contains(&needed)
                };
                if issued.iter().any(allows) {
                    return None;
                }
                let challenge = format!(
                    "Bearer realm=\"http://{host}/token\",service=\"test\",scope=\"{}\"",
                    needed.replace("%2C", ",")
                );
                Some(ask(&challenge))
            }
        }
    }
}

fn ask(challenge: &str) -> Served {
    let mut response = empty(StatusCode::UNAUTHORIZED);
    set(&mut response, "www-authenticate", challenge);
    Ok(response)
}

/// The scope that a request needs, as it stands in a query.
fn needed(head: &Parts) -> String {
    let path = head.uri.path().trim_start_matches("/v2/");
    let name = ["/blobs/", "/manifests/", "/tags/", "/referrers/"]
        .iter()
        .find_map(|part| path.split_once(part))
        .map_or("", |(name, _)| name);
    let is_reading = head.method == http::Method::GET || head.method == http::Method::HEAD;
    format!("repository:{name}:pull{}", if is_reading { "" } else { "%2Cpush" })
}
