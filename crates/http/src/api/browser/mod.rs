//! Pages for people with a browser, without a script: logging in and out, and letting devices in. Then what devices ask.
//!
//! Which browser it is a cookie says, and that a page of ours asks and not another site's, a token in each form.

mod cookies;
mod device;
mod device_grant;
mod forms;
mod login;
mod page;
mod provider;
mod site;

use std::sync::Arc;

use http::request::Parts;
use wharf_core::StoreError;
use wharf_core::browser::{BrowserLogin, BrowserSecret, Browsing};
use wharf_core::devices::Devices;

use crate::api::call::Call;
use crate::api::failure::Failure;
pub use site::Site;

pub(super) use device::{decide as decide_device, show as show_device};
pub(super) use device_grant::{begin as begin_device, token as device_token};
pub(super) use login::{log_in, log_out, show as show_login};
pub(super) use provider::{begin as begin_login, finish as finish_login};

/// The header in which programs of a page send the token of its forms.
pub const TOKEN_HEADER: &str = "x-csrf-token";

/// Who logs people in, and lets devices in.
#[derive(Clone)]
pub struct Browsers {
    /// Logs people in.
    pub login: Arc<dyn BrowserLogin>,
    /// Lets devices in.
    pub devices: Arc<dyn Devices>,
}

/// Why a request is not taken for one of the browser whose cookie it has.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotOfBrowser {
    /// It would change something, and nothing shows that a page of ours asks for it.
    #[error(
        "a request that changes something by a browser's session carries its token in the header X-CSRF-Token"
    )]
    Forged,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Browsers {
    /// The browser that a request is of, where it is logged in. One that changes something must carry
    /// [`Browsing::form_token`] in [`TOKEN_HEADER`], which no page of another site knows or can send.
    ///
    /// # Errors
    /// [`NotOfBrowser`].
    pub async fn of_request(
        &self,
        head: &Parts,
        site: &Site,
    ) -> Result<Option<Browsing>, NotOfBrowser> {
        let Some(browsing) = self.browsing(head, site).await? else { return Ok(None) };
        let token = head.headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
        let is_shown = token.is_some_and(|token| browsing.is_form_token(token));
        if head.method.is_safe() || (is_shown && site.asks_itself(&head.headers)) {
            Ok(Some(browsing))
        } else {
            Err(NotOfBrowser::Forged)
        }
    }

    /// The browser whose cookie a request has, whatever it asks for.
    async fn browsing(&self, head: &Parts, site: &Site) -> Result<Option<Browsing>, StoreError> {
        let Some(secret) = secret_of(head, site) else { return Ok(None) };
        let session = self.login.session(&secret).await?;
        Ok(session.map(|session| Browsing { secret, session }))
    }
}

/// What a request has for the secret of a session.
fn secret_of(head: &Parts, site: &Site) -> Option<BrowserSecret> {
    cookies::read(&head.headers, &site.cookie(cookies::SESSION))?.parse().ok()
}

/// The browser that a request to another part of the API is of: see [`Browsers::of_request`].
pub(super) async fn of_call(call: &Call) -> Result<Option<Browsing>, NotOfBrowser> {
    let access = call.settings().access.as_ref();
    match access.and_then(|access| access.browsers.as_ref()) {
        Some(browsers) => browsers.of_request(&call.head, &Site::new(&call.absolute_base())).await,
        None => Ok(None),
    }
}

/// Who serves browsers here, and where this registry is to them.
fn open(call: &Call) -> Result<(Browsers, Site), Failure> {
    let access = call.settings().access.as_ref();
    let browsers = access.and_then(|access| access.browsers.clone());
    let browsers = browsers.ok_or_else(|| Failure::no_such_route(call.head.uri.path()))?;
    Ok((browsers, Site::new(&call.absolute_base())))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
