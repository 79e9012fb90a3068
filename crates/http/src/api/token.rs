//! The token's end-point (the registry token specification, and its OAuth 2 form), and the public keys.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::json;
use wharf_core::Error;
use wharf_core::authority::{IssuedToken, Login, Secret, TokenIssuer, TokenRefusal, TokenRequest};
use wharf_oci::ErrorCode;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::query;
use crate::api::reply::{self, JSON};
use crate::body::Body;

/// The longest form in bytes.
const LONGEST_FORM: u64 = 16 << 10;

/// When to come back where too many log in.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// The grant of a token exchange (RFC 8693, section 2.1), and the kinds of tokens that may be exchanged (section 3).
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";

/// `GET` and `POST /token`
pub(super) async fn issue(mut call: Call) -> Result<Response<Body>, Failure> {
    let request = if call.head.method == Method::POST {
        let form = call.collect(LONGEST_FORM).await;
        let form = form.map_err(|_| malformed("the form is too long, or broke off"))?;
        let request = of_form(&String::from_utf8_lossy(&form))?;
        TokenRequest { address: Some(call.client_address()), ..request }
    } else {
        of_query(&call)?
    };
    let is_form = call.head.method == Method::POST;
    let issued = issuer(&call)?.issue(request).await.map_err(|refusal| refused(&call, refusal))?;
    Ok(granted(&issued, is_form))
}

/// `GET /.well-known/jwks.json`
pub(super) fn keys(call: &Call) -> Result<Response<Body>, Failure> {
    let keys = issuer(call)?.published_keys();
    let mut response = reply::json(JSON, keys, call.is_head());
    let briefly = HeaderValue::from_static("public, max-age=60");
    response.headers_mut().insert(CACHE_CONTROL, briefly);
    Ok(response)
}

fn issuer(call: &Call) -> Result<&dyn TokenIssuer, Failure> {
    let issuer = call.settings().access.as_ref().and_then(|access| access.issuer.as_deref());
    issuer.ok_or_else(|| Failure::no_such_route(call.head.uri.path()))
}

/// Who asks is in the header, what for in the query.
fn of_query(call: &Call) -> Result<TokenRequest, Failure> {
    let parameter = |name| call.parameters(name).next().unwrap_or_default().into_owned();
    let login = basic(&call.head.headers)?;
    let login = login.map(|(name, secret)| Login::Name { name, secret: Secret::new(secret) });
    Ok(TokenRequest {
        login,
        scopes: call.parameters("scope").map(|scope| scope.replace('+', " ")).collect(),
        offline: parameter("offline_token") == "true",
        client: parameter("client_id"),
        address: Some(call.client_address()),
    })
}

/// A name and a secret (RFC 7617).
pub(super) fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Failure> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let wrong = || malformed("the Authorization header must be Basic, with a name and a password");
    let (scheme, encoded) =
        header.to_str().ok().and_then(|it| it.split_once(' ')).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(wrong());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
    let text = String::from_utf8(decoded).map_err(|_| wrong())?;
    let (name, secret) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Some((name.to_owned(), secret.to_owned())))
}

/// All is in the form (RFC 6749, sections 4.3 and 6; RFC 8693).
fn of_form(form: &str) -> Result<TokenRequest, Failure> {
    // In a form a plus is a space.
    let form = form.replace('+', "%20");
    let field = |name: &str| query::parameters(&form, name).next().map(|it| it.into_owned());
    let required =
        |name: &str| field(name).ok_or_else(|| malformed(format!("the form has no field {name}")));
    let login = match required("grant_type")?.as_str() {
        "password" => {
            let secret = Secret::new(required("password")?);
            Login::Name { name: required("username")?, secret }
        }
        TOKEN_EXCHANGE => {
            let of_type = required("subject_token_type")?;
            if ![JWT_TYPE, ID_TOKEN_TYPE].contains(&of_type.as_str()) {
                return Err(malformed(
                    "the subject_token_type must be that of a jwt or an id_token",
                ));
            }
            let token = Secret::new(required("subject_token")?);
            Login::Workload { robot: required("username")?, token }
        }
        "refresh_token" => Login::RefreshToken(Secret::new(required("refresh_token")?)),
        other => {
            let message = format!(
                "the grant_type {other:?} is not password, refresh_token or token-exchange"
            );
            return Err(malformed(message));
        }
    };
    Ok(TokenRequest {
        login: Some(login),
        scopes: query::parameters(&form, "scope").map(|it| it.into_owned()).collect(),
        offline: field("access_type").as_deref() == Some("offline"),
        client: field("client_id").unwrap_or_default(),
        address: None,
    })
}

fn malformed(message: impl Into<String>) -> Failure {
    Failure::invalid(ErrorCode::Unsupported, message)
}

/// What nobody may keep.
fn granted(issued: &IssuedToken, is_form: bool) -> Response<Body> {
    let issued_at =
        jiff::Timestamp::from_second(i64::try_from(issued.issued_at).unwrap_or_default());
    let mut document = json!({
        "access_token": issued.access.expose(),
        "expires_in": issued.life.as_secs(),
        "issued_at": issued_at.unwrap_or_default().to_string(),
        "scope": issued.scope,
    });
    if is_form {
        document["token_type"] = "Bearer".into();
    } else {
        // The name that older clients look for.
        document["token"] = issued.access.expose().into();
    }
    if let Some(refresh) = &issued.refresh {
        document["refresh_token"] = refresh.expose().into();
    }
    let mut response = reply::new(StatusCode::OK, document.to_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refused(call: &Call, refusal: TokenRefusal) -> Failure {
    match refusal {
        TokenRefusal::Login => {
            let message = TokenRefusal::Login.to_string();
            let service = call.settings().access.as_ref().map_or("", |access| &access.service);
            Failure::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
                .with(WWW_AUTHENTICATE, &format!("Basic realm=\"{service}\""))
        }
        TokenRefusal::Scope(reason) => malformed(reason),
        TokenRefusal::TooMany(wait) => Failure::too_many(refusal.to_string(), wait),
        TokenRefusal::Busy(reason) => Failure::too_many(reason, BUSY_FOR),
        TokenRefusal::Store(fault) => Error::from(fault).into(),
    }
}
