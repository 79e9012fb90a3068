//! `/device`: a person types the code of a device, sees what asks, and lets it in or not (RFC 8628, section 3.3).

use std::time::Duration;

use http::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use wharf_core::access::Role;
use wharf_core::browser::Browsing;
use wharf_core::metadata::{Change, DeviceFind, UserCode, WaitingDevice};

use super::forms::{Form, forged};
use super::login::{browsing, token_field};
use super::page::{Page, Status, escaped};
use super::{Browsers, open};
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::body::Body;

const UNKNOWN: &str =
    "No device waits by this code. It may be mistyped, or too old: ten minutes is all it lasts.";

/// `GET /device`
pub(in crate::api) async fn show(call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    let code = call.parameters("user_code").next().and_then(|code| code.parse::<UserCode>().ok());
    let Some(browsing) = browsing(&call, &browsers, &site).await? else {
        return Ok(log_in_first(&call, code.as_ref()).into_response());
    };
    Ok(ask_for_code(&call, &browsing, code.as_ref(), None).into_response())
}

/// `POST /device`
pub(in crate::api) async fn decide(mut call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    let Some(browsing) = browsing(&call, &browsers, &site).await? else {
        return Ok(log_in_first(&call, None).into_response());
    };
    let Some(form) = Form::read(&mut call).await else { return Ok(forged(&site).into_response()) };
    if !form.is_of_ours(&call, &site, &browsing.secret) {
        return Ok(forged(&site).into_response());
    }
    let page = match form.field("user_code").parse::<UserCode>() {
        Ok(code) => decided(&call, &browsers, &browsing, code, form.field("answer")).await?,
        Err(error) => {
            let message = format!("{error}.");
            ask_for_code(&call, &browsing, None, Some((Status::BAD_REQUEST, &message)))
        }
    };
    Ok(page.into_response())
}

async fn decided(
    call: &Call,
    browsers: &Browsers,
    browsing: &Browsing,
    code: UserCode,
    answer: &str,
) -> Result<Page, Failure> {
    let again = |status, message| ask_for_code(call, browsing, None, Some((status, message)));
    let approve = match answer {
        "allow" => true,
        "refuse" => false,
        _ => {
            return Ok(match browsers.devices.find(&browsing.secret, code.clone()).await? {
                DeviceFind::Found(waiting) => {
                    let life = browsers.devices.token_life();
                    ask_whether(call, browsing, &code, &waiting, life)
                }
                DeviceFind::Unknown => again(Status::NOT_FOUND, UNKNOWN),
                DeviceFind::TooManyTries => {
                    let message =
                        "Too many codes were none. Log out and in again to try another one.";
                    again(Status::TOO_MANY_REQUESTS, message)
                }
                DeviceFind::NoSession => log_in_first(call, Some(&code)),
            });
        }
    };
    Ok(match browsers.devices.decide(&browsing.secret, code, approve, call.visit()).await? {
        Change::Done if approve => {
            let user = &browsing.session.user;
            let message = format!("The device is let in as {user}. You may close this page.");
            Page::message(Status::OK, "Let in", &message)
        }
        Change::Done => Page::message(Status::OK, "Refused", "The device was not let in."),
        _ => again(Status::NOT_FOUND, UNKNOWN),
    })
}

/// To the page where people log in, and back here.
fn log_in_first(call: &Call, code: Option<&UserCode>) -> Page {
    let back = code.map_or("/device".to_owned(), |code| format!("/device?user_code={code}"));
    let back = utf8_percent_encode(&back, NON_ALPHANUMERIC);
    Page::elsewhere(&call.location(&format!("/login?return_to={back}")))
}

fn ask_for_code(
    call: &Call,
    browsing: &Browsing,
    code: Option<&UserCode>,
    error: Option<(Status, &str)>,
) -> Page {
    let (status, message) = error.unwrap_or((Status::OK, ""));
    let mut content = String::new();
    if !message.is_empty() {
        content.push_str(&format!("<p class=\"error\" role=\"alert\">{}</p>\n", escaped(message)));
    }
    content.push_str(&format!(
        "<p>You are logged in as <strong>{}</strong>.</p>\n<form method=\"post\" action=\"{}\">{}\
         <label for=\"code\">The code that the device shows</label>\
         <input id=\"code\" name=\"user_code\" value=\"{}\" autocomplete=\"off\" autocapitalize=\"characters\" \
         placeholder=\"BCDF-GHJK\" required><button>Go on</button></form>",
        escaped(browsing.session.user.as_str()),
        escaped(&call.location("/device")),
        token_field(&browsing.form_token()),
        code.map(ToString::to_string).unwrap_or_default(),
    ));
    Page::new(status, "Let a device in", &content)
}

/// What a role is for, to who may never have heard of roles.
const fn wanted(role: Role) -> &'static str {
    match role {
        Role::Read => "pull",
        Role::Write => "pull and push",
        Role::Maintain => "pull, push and delete",
        Role::Admin => "do all that you may, and change who else may what,",
    }
}

/// What those must know who may do more than others.
fn warning(browsing: &Browsing, role: Role) -> String {
    if !browsing.session.site_admin {
        return String::new();
    }
    let what = match role {
        Role::Admin => "it would be one too: of every account and every repository",
        _ => "it could do so in every repository",
    };
    format!("<p class=\"error\">You are an administrator of this registry: {what}.</p>\n")
}

/// A time in the largest unit that it is a whole number of.
fn in_words(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (count, unit) = match minutes {
        _ if minutes.is_multiple_of(24 * 60) => (minutes / (24 * 60), "day"),
        _ if minutes.is_multiple_of(60) => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Who reads a code to somebody else over the telephone must find out here what it is for.
fn ask_whether(
    call: &Call,
    browsing: &Browsing,
    code: &UserCode,
    waiting: &WaitingDevice,
    life: Duration,
) -> Page {
    let since = jiff::Timestamp::from_microsecond(waiting.started_at.0).unwrap_or_default();
    let content = format!(
        "<p>A program wants to {} as <strong>{}</strong>, for {}.</p>\n{}\
         <dl><dt>It calls itself</dt><dd>{}</dd><dt>It is at the address</dt><dd>{}</dd>\
         <dt>It waits since</dt><dd>{}</dd><dt>Its code</dt><dd>{code}</dd></dl>\n\
         <p>Let it in only if you began this yourself, just now. If somebody sent you here, refuse.</p>\n\
         <form method=\"post\" action=\"{}\">{}<input type=\"hidden\" name=\"user_code\" value=\"{code}\">\
         <button name=\"answer\" value=\"allow\">Let it in</button>\
         <button class=\"other\" name=\"answer\" value=\"refuse\">Refuse</button></form>",
        wanted(waiting.role),
        escaped(browsing.session.user.as_str()),
        in_words(life),
        warning(browsing, waiting.role),
        escaped(&waiting.client),
        escaped(&waiting.address),
        since.strftime("%Y-%m-%d %H:%M UTC"),
        escaped(&call.location("/device")),
        token_field(&browsing.form_token()),
    );
    Page::new(Status::OK, "Let this device in?", &content)
}
