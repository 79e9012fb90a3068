//! What an ID token must say to be an answer to one question (OpenID Connect Core 1.0, section 3.1.3.7). Its signature and
//! its times were checked before.

use serde_json::Value;
use wharf_core::browser::{BrowserSecret, Purpose};

use crate::issuer::signed::{SKEW, is_for, time};

/// How long ago it may have been made, in seconds: it comes straight from the provider.
const OLDEST: u64 = 600;

/// Why a token answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// `iss`
    #[error("it is of another issuer")]
    Issuer,
    /// `aud`
    #[error("it is for somebody else")]
    Audience,
    /// `azp`
    #[error("it was made for another client")]
    Party,
    /// `nonce`
    #[error("it was made for another login")]
    Nonce,
    /// `iat`
    #[error("it was not made just now")]
    Age,
}

/// Checks that a token is of `issuer`, for `client`, and for the login of the browser that keeps `attempt`.
pub(super) fn check(
    claims: &Value,
    issuer: &str,
    client: &str,
    attempt: &BrowserSecret,
    now: u64,
) -> Result<(), NoAnswer> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(issuer) {
        return Err(NoAnswer::Issuer);
    }
    if !is_for(claims, client) {
        return Err(NoAnswer::Audience);
    }
    // Where it is for others too, it says for whom it was made.
    let others = claims.get("aud").and_then(Value::as_array).is_some_and(|aud| aud.len() > 1);
    if (others || claims.get("azp").is_some()) && text("azp") != Some(client) {
        return Err(NoAnswer::Party);
    }
    if !text("nonce").is_some_and(|nonce| attempt.is_derived(Purpose::Nonce, nonce)) {
        return Err(NoAnswer::Nonce);
    }
    let made_at = time(claims, "iat").ok_or(NoAnswer::Age)?;
    let is_new = made_at.saturating_add(OLDEST) > now && made_at <= now.saturating_add(SKEW);
    if is_new { Ok(()) } else { Err(NoAnswer::Age) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use wharf_core::clock::SystemRandom;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_token_answers_one_question_of_one_client() {
        let attempt = BrowserSecret::new(&SystemRandom);
        let nonce = attempt.derived(Purpose::Nonce);
        let answered = |changes: Value| {
            let mut claims = json!({
                "iss": "https://sso.example", "aud": "wharf", "nonce": nonce, "iat": NOW - 1,
            });
            claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            check(&claims, "https://sso.example", "wharf", &attempt, NOW).err()
        };
        let state = attempt.derived(Purpose::State);
        for (changes, expected) in [
            (json!({}), None),
            (json!({ "aud": ["wharf"] }), None),
            (json!({ "aud": ["wharf", "other"], "azp": "wharf" }), None),
            (json!({ "iat": NOW + 30 }), None),
            (json!({ "iss": "https://sso.example/" }), Some(NoAnswer::Issuer)),
            (json!({ "iss": null }), Some(NoAnswer::Issuer)),
            (json!({ "aud": "other" }), Some(NoAnswer::Audience)),
            (json!({ "aud": null }), Some(NoAnswer::Audience)),
            (json!({ "aud": ["wharf", "other"] }), Some(NoAnswer::Party)),
            (json!({ "aud": ["wharf", "other"], "azp": "other" }), Some(NoAnswer::Party)),
            (json!({ "azp": "other" }), Some(NoAnswer::Party)),
            (json!({ "nonce": null }), Some(NoAnswer::Nonce)),
            (json!({ "nonce": "" }), Some(NoAnswer::Nonce)),
            (json!({ "nonce": state }), Some(NoAnswer::Nonce)),
            (json!({ "iat": null }), Some(NoAnswer::Age)),
            (json!({ "iat": NOW - 600 }), Some(NoAnswer::Age)),
            (json!({ "iat": NOW + 31 }), Some(NoAnswer::Age)),
        ] {
            assert_eq!(answered(changes.clone()), expected, "{changes}");
        }
    }
}
