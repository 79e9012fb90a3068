//! A page: its frame, its style, and the headers that keep others from using it.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    SET_COOKIE, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response};
use wharf_oci::{Algorithm, Hasher};

use crate::api::reply::{self, value};
use crate::body::Body;

pub(super) use http::StatusCode as Status;

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{margin:12vh auto;max-width:24rem;padding:0 1rem}\
h1{font-size:1.4rem}label,input,button,.button{display:block;width:100%;box-sizing:border-box}\
input,button,.button{font:inherit;padding:.5rem .75rem;margin:.25rem 0 1rem;border:1px solid #8888;border-radius:.4rem}\
button,.button{background:#2456b3;color:#fff;text-align:center;text-decoration:none;cursor:pointer}\
button.other{background:none;color:inherit}.error{border-left:.25rem solid #c33;padding-left:.75rem}\
dt{opacity:.7}dd{margin:0 0 .75rem;overflow-wrap:anywhere}hr{border:0;border-top:1px solid #8885;margin:1.5rem 0}";

/// A text of ours or of others, as it stands in HTML and in the quotes of its attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A page, or the way to another one.
pub(super) struct Page {
    status: Status,
    body: String,
    headers: HeaderMap,
}

impl Page {
    /// A page with this title. What `content` takes from others is escaped.
    pub(super) fn new(status: Status, title: &str, content: &str) -> Self {
        let title = escaped(title);
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title} – Wharf</title>\
             <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{content}\n</body></html>\n"
        );
        Self { status, body, headers: HeaderMap::new() }
    }

    /// A page that says one thing.
    pub(super) fn message(status: Status, title: &str, message: &str) -> Self {
        Self::new(status, title, &format!("<p>{}</p>", escaped(message)))
    }

    /// The way to another page, which is asked for by `GET`.
    pub(super) fn elsewhere(url: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, value(url));
        Self { status: Status::SEE_OTHER, body: String::new(), headers }
    }

    /// Has the browser keep a cookie, or forget one.
    pub(super) fn with_cookie(mut self, cookie: &str) -> Self {
        let mut value = value(cookie);
        value.set_sensitive(true);
        self.headers.append(SET_COOKIE, value);
        self
    }

    /// Says when to try again.
    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// The reply. Nobody keeps it, shows it in a frame, or has it run, load or send anything but to us.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = reply::new(self.status, self.body);
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_SECURITY_POLICY, policy());
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Nothing at all would make browsers hide from us too where a form comes from.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}

/// What a page may do: have this style, and send its forms to us.
fn policy() -> HeaderValue {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let made = || {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(STYLE.as_bytes());
        let style = STANDARD.encode(hasher.finish().hash());
        value(format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ))
    };
    POLICY.get_or_init(made).clone()
}
