//! The connection to registries: one client for all of them.

mod call;
mod location;
mod origin;
mod outgoing;
mod redirect;
mod reply;
mod retry;
mod transport;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use call::{Call, Payload};
pub(crate) use location::{encode, resolve, with_query};
pub(crate) use origin::Origin;
pub(crate) use reply::{Reply, ReplyBody};
pub(crate) use retry::backoff;

use crate::auth::Authenticator;
use crate::{ClientOptions, Error, HostName, Registry};
use transport::Transport;

/// The most different warnings that are kept until somebody asks for them.
const MAX_WARNINGS: usize = 32;

/// A client of any number of registries. Cloning it is cheap, and clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    options: ClientOptions,
    transport: Transport,
    authenticator: Authenticator,
    warnings: Mutex<Warnings>,
}

#[derive(Default)]
struct Warnings {
    /// Every warning heard so far, so that none is told twice.
    heard: Vec<String>,
    /// How many of them were told.
    told: usize,
}

impl Client {
    /// A client with these settings. Certificates of the system, or of `SSL_CERT_FILE`, are trusted.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let transport = Transport::new(&options)?;
        let authenticator = Authenticator::new(options.credentials.clone());
        let warnings = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { options, transport, authenticator, warnings }) })
    }

    /// The registry at `host`. Nothing is sent yet.
    pub fn registry(&self, host: &HostName) -> Registry {
        Registry::new(self.clone(), host.clone())
    }

    /// The settings.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// The warnings of registries that were not taken before (distribution-spec, "Warnings"), each once.
    pub fn take_warnings(&self) -> Vec<String> {
        let mut warnings = self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let new = warnings.heard[warnings.told..].to_vec();
        warnings.told = warnings.heard.len();
        new
    }

    fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.inner.authenticator
    }

    /// Where requests to `host` go to: plain HTTP on this machine or where it was asked for.
    pub(crate) fn origin(&self, host: &HostName) -> Origin {
        Origin::new(!(self.inner.options.plain_http || host.is_loopback()), host)
    }

    /// Keeps the warnings in a reply: `299 - "text"`.
    fn hear_warnings(&self, reply: &Reply) {
        for value in reply.headers.get_all(http::header::WARNING) {
            let text = value.to_str().ok().and_then(|text| text.strip_prefix("299 - "));
            let Some(text) = text else { continue };
            let text = crate::error::printable(text.trim().trim_matches('"'));
            let mut warnings = self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            if warnings.heard.len() < MAX_WARNINGS && !warnings.heard.contains(&text) {
                warnings.heard.push(text);
            }
        }
    }
}
