//! Forms that a browser sends: read within limits, and taken only from pages of ours.

use percent_encoding::percent_decode_str;
use wharf_core::browser::{BrowserSecret, Purpose};

use super::page::{Page, Status};
use super::site::Site;
use crate::api::call::Call;

/// The longest form in bytes.
const LONGEST: u64 = 16 << 10;

/// The field of a form with its token.
pub(super) const TOKEN: &str = "token";

/// The fields of a form.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form that a request brings, whoever sent it.
    pub(super) async fn read(call: &mut Call) -> Option<Self> {
        let body = call.collect(LONGEST).await.ok()?;
        let text = std::str::from_utf8(&body).ok()?;
        let decoded = |text: &str| {
            // In a form a plus is a space.
            let text = text.replace('+', "%20");
            percent_decode_str(&text).decode_utf8().map(|it| it.into_owned()).ok()
        };
        let field = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        };
        text.split('&').map(field).collect::<Option<_>>().map(Self)
    }

    /// A field; empty where there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether a page of ours asks, which the browser with this secret was shown.
    pub(super) fn is_of_ours(&self, call: &Call, site: &Site, secret: &BrowserSecret) -> bool {
        secret.is_derived(Purpose::Form, self.field(TOKEN)) && site.asks_itself(&call.head.headers)
    }
}

/// What a request is answered that no page of ours asks for.
pub(super) fn forged(site: &Site) -> Page {
    let message = format!(
        "This form is too old, or came from another page than those of {}. Nothing was changed. Open the page again there.",
        site.origin()
    );
    Page::message(Status::FORBIDDEN, "Not done", &message)
}
