//! `/oauth2/device` and `/oauth2/token`: what devices ask without a browser (RFC 8628, sections 3.1 to 3.5).

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use wharf_core::access::Role;
use wharf_core::devices::{DeviceRefusal, DeviceRequest};

use super::forms::Form;
use super::open;
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::reply::{self, JSON};
use crate::body::Body;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `POST /oauth2/device`
pub(in crate::api) async fn begin(mut call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, _) = open(&call)?;
    let Some(form) = Form::read(&mut call).await else { return Ok(malformed()) };
    let client = form.field("client_id");
    if client.is_empty() {
        let description = "the form has no field client_id: what the device calls itself";
        return Ok(error(StatusCode::BAD_REQUEST, "invalid_request", description));
    }
    let role = match form.field("scope") {
        "" => Role::Write,
        scope => match Role::named(scope) {
            Some(role) => role,
            None => {
                let description =
                    "the scope must be read, write, maintain or admin; without one it is write";
                return Ok(error(StatusCode::BAD_REQUEST, "invalid_scope", description));
            }
        },
    };
    let request = DeviceRequest { client, role };
    let begun = browsers.devices.begin(request, call.visit()).await;
    let grant = match begun {
        Ok(grant) => grant,
        Err(refusal) => return refused(refusal, "temporarily_unavailable"),
    };
    let page = format!("{}/device", call.absolute_base());
    let document = json!({
        "device_code": grant.device_code.expose(),
        "user_code": grant.user_code.to_string(),
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", grant.user_code),
        "expires_in": grant.life.as_secs(),
        "interval": grant.interval.as_secs(),
    });
    Ok(answer(StatusCode::OK, &document))
}

/// `POST /oauth2/token`
pub(in crate::api) async fn token(mut call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, _) = open(&call)?;
    let Some(form) = Form::read(&mut call).await else { return Ok(malformed()) };
    if form.field("grant_type") != GRANT {
        let description = format!("the grant_type must be {GRANT}");
        return Ok(error(StatusCode::BAD_REQUEST, "unsupported_grant_type", &description));
    }
    let asked = browsers.devices.token(form.field("device_code"), call.visit()).await;
    let granted = match asked {
        Ok(granted) => granted,
        Err(refusal) => return refused(refusal, "slow_down"),
    };
    // A personal token, which stands in for the password at `docker login` and at `/token`.
    let document = json!({
        "access_token": granted.token.expose(),
        "token_type": "Bearer",
        "expires_in": granted.life.as_secs(),
        "user": granted.user.to_string(),
        "scope": granted.role.name(),
    });
    Ok(answer(StatusCode::OK, &document))
}

fn refused(refusal: DeviceRefusal, too_many: &str) -> Result<Response<Body>, Failure> {
    let description = refusal.to_string();
    let code = match refusal {
        DeviceRefusal::Pending => "authorization_pending",
        DeviceRefusal::SlowDown => "slow_down",
        DeviceRefusal::Denied => "access_denied",
        DeviceRefusal::Expired => "expired_token",
        DeviceRefusal::TooMany(wait) => {
            let mut response = error(StatusCode::TOO_MANY_REQUESTS, too_many, &description);
            let seconds = wait.map_or(60.0, |wait| wait.as_secs_f64().ceil().max(1.0));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
            return Ok(response);
        }
        DeviceRefusal::Store(fault) => return Err(fault.into()),
    };
    Ok(error(StatusCode::BAD_REQUEST, code, &description))
}

fn malformed() -> Response<Body> {
    error(StatusCode::BAD_REQUEST, "invalid_request", "the form is too long, or is none")
}

fn error(status: StatusCode, code: &str, description: &str) -> Response<Body> {
    answer(status, &json!({ "error": code, "error_description": description }))
}

fn answer(status: StatusCode, document: &Value) -> Response<Body> {
    let mut response = reply::new(status, document.to_string());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
