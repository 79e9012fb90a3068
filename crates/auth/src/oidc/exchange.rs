//! Exchanging a code for an ID token (RFC 6749, section 4.1.3), and asking who it is of (OpenID Connect Core 1.0, section 5.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use wharf_core::authority::Secret;
use wharf_core::browser::{Attempt, Purpose};

use super::provider::{OidcError, ProviderSettings};
use crate::issuer::documents::{Asked, Endpoints};
use crate::issuer::keys::Configuration;

/// What stands in a form or a query as it is (RFC 3986, section 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as it stands in a form or a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Fields as a form or a query.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    fields.join("&")
}

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id: Secret,
    pub(super) access: Option<Secret>,
}

/// Exchanges a code.
pub(super) async fn exchange(
    endpoints: &dyn Endpoints,
    settings: &ProviderSettings,
    configuration: &Configuration,
    attempt: &Attempt,
    code: &Secret,
) -> Result<Tokens, OidcError> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: String,
        access_token: Option<String>,
    }
    #[derive(Deserialize)]
    struct Refused {
        error: String,
    }
    let url = configuration.token_endpoint.clone();
    let url = url.ok_or_else(|| OidcError::Provider("it names no token_endpoint".into()))?;
    let verifier = attempt.secret.derived(Purpose::Verifier);
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", &attempt.callback),
        ("code_verifier", &verifier),
    ];
    let mut authorization = None;
    match &settings.client_secret {
        Some(secret) if takes_basic(configuration) => {
            // Encoded before they are joined (RFC 6749, section 2.3.1).
            let both = format!("{}:{}", encoded(&settings.client_id), encoded(secret.expose()));
            authorization = Some(Secret::new(format!("Basic {}", STANDARD.encode(both))));
        }
        Some(secret) => {
            fields.push(("client_id", &settings.client_id));
            fields.push(("client_secret", secret.expose()));
        }
        None => fields.push(("client_id", &settings.client_id)),
    }
    let form = Some(Secret::new(form(&fields)));
    let (status, body) = endpoints.ask(Asked { url, authorization, form }).await?;
    if status != StatusCode::OK {
        let refused = serde_json::from_slice::<Refused>(&body);
        let code = refused.map_or_else(|_| "no error of OAuth".to_owned(), |it| it.error);
        return Err(match code.as_str() {
            // It was used, is too old, or is of another browser: RFC 6749, section 5.2.
            "invalid_grant" => OidcError::Stale,
            code => OidcError::Provider(format!(
                "its token_endpoint answers {status}: {:?}",
                code.chars().take(100).collect::<String>()
            )),
        });
    }
    // The parser's message could quote a token.
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
        OidcError::Provider("its token_endpoint answers with something that has no ID token".into())
    })?;
    Ok(Tokens { id: Secret::new(answer.id_token), access: answer.access_token.map(Secret::new) })
}

/// Whether the client's secret goes into a header, which is what is done where the provider says nothing.
fn takes_basic(configuration: &Configuration) -> bool {
    let methods = configuration.token_endpoint_auth_methods_supported.as_ref();
    methods.is_none_or(|methods| {
        let has = |name: &str| methods.iter().any(|method| method == name);
        has("client_secret_basic") || !has("client_secret_post")
    })
}

/// What a provider says of who a token is of, beside the ID token.
pub(super) async fn ask_who(
    endpoints: &dyn Endpoints,
    url: &str,
    access: &Secret,
) -> Result<Value, OidcError> {
    let authorization = Some(Secret::new(format!("Bearer {}", access.expose())));
    let asked = Asked { url: url.to_owned(), authorization, form: None };
    let (status, body) = endpoints.ask(asked).await?;
    if status != StatusCode::OK {
        return Err(OidcError::Provider(format!("its userinfo_endpoint answers {status}")));
    }
    serde_json::from_slice(&body)
        .map_err(|_| OidcError::Provider("its userinfo_endpoint answers with no JSON".into()))
}
