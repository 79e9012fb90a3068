//! `/login` and `/logout`: who is logged in, or how to be.

use http::Response;
use wharf_core::authority::Secret;
use wharf_core::browser::{BrowserSecret, Browsing, LoginRefusal, Purpose, ReturnTo};
use wharf_core::clock::SystemRandom;
use wharf_core::permissions::Principal;

use super::forms::{Form, TOKEN, forged};
use super::page::{Page, Status, escaped};
use super::{Browsers, Site, cookies, open, secret_of};
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::body::Body;

/// How long the form to log in can be sent, in seconds.
const VISIT: u32 = 3600;

/// `GET /login`
pub(in crate::api) async fn show(call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    if let Some(browsing) = browsing(&call, &browsers, &site).await? {
        return Ok(logged_in(&call, &browsers, &browsing).into_response());
    }
    let return_to = return_to(&call);
    Ok(entrance(&call, &browsers, &site, &return_to, None).into_response())
}

/// `POST /login`
pub(in crate::api) async fn log_in(mut call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    if !browsers.login.takes_passwords() {
        return Err(Failure::no_such_route(call.head.uri.path()));
    }
    let form = Form::read(&mut call).await;
    let visitor = visitor(&call, &site);
    let (Some(form), Some(visitor)) = (form, visitor) else {
        return Ok(forged(&site).into_response());
    };
    if !form.is_of_ours(&call, &site, &visitor) {
        return Ok(forged(&site).into_response());
    }
    let (name, password) = (form.field("name").trim(), form.field("password"));
    let return_to = form.field("return_to").parse().unwrap_or_default();
    let password = Secret::new(password.to_owned());
    let page = match browsers.login.log_in(name.to_owned(), password, call.visit()).await {
        Ok(secret) => welcome(&call, &browsers, &site, &secret, &return_to).await?,
        Err(refusal) => refused(&call, &browsers, &site, &return_to, refusal)?,
    };
    Ok(page.into_response())
}

/// `POST /logout`
pub(in crate::api) async fn log_out(mut call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    let Some(browsing) = browsing(&call, &browsers, &site).await? else {
        // Nor forgets a browser anything here: another site's page may have sent it, without the cookie.
        return Ok(Page::elsewhere(&call.location("/login")).into_response());
    };
    let form = Form::read(&mut call).await;
    if !form.is_some_and(|form| form.is_of_ours(&call, &site, &browsing.secret)) {
        return Ok(forged(&site).into_response());
    }
    browsers.login.log_out(&browsing.secret).await?;
    let forget = site.set_cookie(cookies::SESSION, "", Some(0));
    Ok(Page::elsewhere(&call.location("/login")).with_cookie(&forget).into_response())
}

/// The browser that a request is of, told to the access log.
pub(super) async fn browsing(
    call: &Call,
    browsers: &Browsers,
    site: &Site,
) -> Result<Option<Browsing>, Failure> {
    if secret_of(&call.head, site).is_some() {
        let message = "too many requests from there: wait, and try again";
        let admitted = browsers.login.admit(call.visit()).await;
        admitted.map_err(|wait| Failure::too_many(message, wait))?;
    }
    let browsing = browsers.browsing(&call.head, site).await?;
    if let Some(browsing) = &browsing {
        call.tell_asker(&Principal::User(browsing.session.user.clone()));
    }
    Ok(browsing)
}

/// Where a request says that it goes on; nowhere but here.
pub(super) fn return_to(call: &Call) -> ReturnTo {
    call.parameters("return_to").next().and_then(|path| path.parse().ok()).unwrap_or_default()
}

/// Lets a browser keep its new session, and sends it on. What it had before ends.
pub(super) async fn welcome(
    call: &Call,
    browsers: &Browsers,
    site: &Site,
    secret: &BrowserSecret,
    return_to: &ReturnTo,
) -> Result<Page, Failure> {
    if let Some(before) = browsers.browsing(&call.head, site).await? {
        browsers.login.log_out(&before.secret).await?;
    }
    Ok(Page::elsewhere(&call.location(return_to.as_str()))
        .with_cookie(&site.set_cookie(cookies::SESSION, &secret.expose(), None))
        .with_cookie(&site.set_cookie(cookies::VISITOR, "", Some(0))))
}

/// The way in again, with what was wrong.
pub(super) fn refused(
    call: &Call,
    browsers: &Browsers,
    site: &Site,
    return_to: &ReturnTo,
    refusal: LoginRefusal,
) -> Result<Page, Failure> {
    let status = match refusal {
        LoginRefusal::Credentials | LoginRefusal::Denied | LoginRefusal::NotAllowed => {
            Status::FORBIDDEN
        }
        LoginRefusal::TooMany(_) | LoginRefusal::Busy => Status::TOO_MANY_REQUESTS,
        LoginRefusal::UnknownProvider => {
            return Err(Failure::no_such_route(call.head.uri.path()));
        }
        LoginRefusal::Stale => Status::BAD_REQUEST,
        LoginRefusal::Provider => Status::BAD_GATEWAY,
        LoginRefusal::Store(fault) => return Err(fault.into()),
    };
    let page = entrance(call, browsers, site, return_to, Some((status, &refusal.to_string())));
    Ok(match refusal {
        LoginRefusal::TooMany(wait) => page.after(wait.as_secs_f64().ceil().max(1.0) as u64),
        LoginRefusal::Busy => page.after(5),
        _ => page,
    })
}

fn visitor(call: &Call, site: &Site) -> Option<BrowserSecret> {
    cookies::read(&call.head.headers, &site.cookie(cookies::VISITOR))?.parse().ok()
}

/// What somebody sees who is logged in.
fn logged_in(call: &Call, browsers: &Browsers, browsing: &Browsing) -> Page {
    let session = &browsing.session;
    let by = session.provider.as_ref().map(|name| {
        let providers = browsers.login.providers();
        let label = providers.iter().find(|it| it.name == *name).map(|it| it.label.clone());
        format!(" by {}", escaped(&label.unwrap_or_else(|| name.to_string())))
    });
    let content = format!(
        "<p>You are logged in as <strong>{}</strong>{}.</p>\n\
         <p><a href=\"{}\">Let a device in</a></p>\n\
         <form method=\"post\" action=\"{}\">{}<button class=\"other\">Log out</button></form>",
        escaped(session.user.as_str()),
        by.unwrap_or_default(),
        escaped(&call.location("/device")),
        escaped(&call.location("/logout")),
        token_field(&browsing.form_token()),
    );
    Page::new(Status::OK, "Logged in", &content)
}

pub(super) fn token_field(token: &str) -> String {
    format!("<input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\">", escaped(token))
}

/// What somebody sees who is not: the providers, and the form for a password.
fn entrance(
    call: &Call,
    browsers: &Browsers,
    site: &Site,
    return_to: &ReturnTo,
    error: Option<(Status, &str)>,
) -> Page {
    if !site.is_safe() {
        let message = format!(
            "Logging in at {} would send secrets in the clear. Open this page over https. Where a proxy does TLS, \
             the registry learns of it by http.external_url or http.trusted_proxies.",
            site.origin()
        );
        return Page::message(Status::FORBIDDEN, "Not over http", &message);
    }
    let (status, message) = error.unwrap_or((Status::OK, ""));
    let mut content = String::new();
    if !message.is_empty() {
        content.push_str(&format!("<p class=\"error\" role=\"alert\">{}</p>\n", escaped(message)));
    }
    let query =
        format!("?return_to={}", return_to.as_str().replace('%', "%25").replace('&', "%26"));
    for provider in browsers.login.providers() {
        let url = call.location(&format!("/login/{}{query}", provider.name));
        let (url, label) = (escaped(&url), escaped(&provider.label));
        content.push_str(&format!("<a class=\"button\" href=\"{url}\">Log in by {label}</a>\n"));
    }
    let known = visitor(call, site);
    let secret = known.clone().unwrap_or_else(|| BrowserSecret::new(&SystemRandom));
    if browsers.login.takes_passwords() {
        if !browsers.login.providers().is_empty() {
            content.push_str("<hr>\n");
        }
        content.push_str(&format!(
            "<form method=\"post\" action=\"{}\">{}<input type=\"hidden\" name=\"return_to\" value=\"{}\">\n\
             <label for=\"name\">Name</label><input id=\"name\" name=\"name\" autocomplete=\"username\" required>\n\
             <label for=\"password\">Password</label>\
             <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required>\n\
             <button>Log in</button></form>",
            escaped(&call.location("/login")),
            token_field(&secret.derived(Purpose::Form)),
            escaped(return_to.as_str()),
        ));
    }
    let page = Page::new(status, "Log in", &content);
    match known {
        Some(_) => page,
        None => page.with_cookie(&site.set_cookie(cookies::VISITOR, &secret.expose(), Some(VISIT))),
    }
}
