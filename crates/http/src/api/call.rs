//! A request on its way through a handler: its parts as typed values, its body within its limits.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{AsHeaderName, HOST};
use http::request::Parts;
use http::uri::Authority;
use percent_encoding::percent_decode_str;
use tokio::sync::OwnedSemaphorePermit;
use wharf_core::authority::BadToken;
use wharf_core::browser::Visit;
use wharf_core::direct::PartNumber;
use wharf_core::operation::Operation;
use wharf_core::permissions::{Caller, Permitted, Principal};
use wharf_core::{Error, Registry, Source, SourceError, UploadId};
use wharf_oci::{Digest, ErrorCode, Reference, RepositoryName};

use crate::access_log::RequestId;
use crate::api::access;
use crate::api::failure::Failure;
use crate::api::image_limits::{Doing, Told};
use crate::api::query;
use crate::api::reply::Keeping;
use crate::api::routes::Place;
use crate::api::shares::{Share, Shares};
use crate::api::unread::Unread;
use crate::api::{Api, Settings, is_head};
use crate::serve::Connection;
use crate::serve::incoming::{IncomingBody, IncomingError, Limits};

/// Who asked, once that is known: for the access log, which outlives the call.
pub(super) type Asker = Arc<OnceLock<Arc<str>>>;

/// A request.
pub(super) struct Call {
    api: Api,
    pub(super) head: Parts,
    body: Option<Unread>,
    pub(super) connection: Connection,
    place: Place,
    id: RequestId,
    asker: Asker,
}

impl Call {
    pub(super) const fn new(
        api: Api,
        head: Parts,
        body: Unread,
        connection: Connection,
        place: Place,
        id: RequestId,
        asker: Asker,
    ) -> Self {
        Self { api, head, body: Some(body), connection, place, id, asker }
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.api.0.registry
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.api.0.settings
    }

    pub(super) fn keeping(&self) -> &Keeping {
        &self.api.0.keeping
    }

    pub(super) fn is_draining(&self) -> bool {
        self.api.0.draining.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// A place among the manifests being received, so that many slow ones cannot fill the memory.
    pub(super) fn manifest_place(&self) -> Result<(OwnedSemaphorePermit, Share), Failure> {
        let share = self.share(&self.api.0.manifest_shares)?;
        let busy =
            || Error::Busy("as many manifests are being received as this registry takes at once");
        let place = Arc::clone(&self.api.0.manifests).try_acquire_owned().map_err(|_| busy())?;
        Ok((place, share))
    }

    /// The client's part of the registry's places for uploads.
    pub(super) fn upload_share(&self) -> Result<Share, Failure> {
        self.share(&self.api.0.upload_shares)
    }

    fn share(&self, shares: &Arc<Shares>) -> Result<Share, Failure> {
        let busy = || Error::Busy("as many pushes are under way as one client may have at once");
        Ok(shares.take(self.client_address()).ok_or_else(busy)?)
    }

    /// What is not ready, as of a moment ago.
    pub(super) async fn faults(&self) -> Vec<(&'static str, String)> {
        self.api.0.readiness.faults(self.registry()).await
    }

    /// The client's address, as far as it can be trusted.
    pub(super) fn client_address(&self) -> IpAddr {
        self.settings().origin.client_address(&self.head.headers, self.connection.peer.ip())
    }

    /// Whether the client wants the headers alone.
    pub(super) fn is_head(&self) -> bool {
        is_head(&self.head.method)
    }

    /// What its reply and the logs call it.
    pub(super) const fn request_id(&self) -> RequestId {
        self.id
    }

    /// Tells the access log who asks.
    pub(super) fn tell_asker(&self, principal: &Principal) {
        let _ = self.asker.set(principal.to_string().into());
    }

    /// Takes an operation past the authorization point.
    pub(super) async fn permit<O: Operation>(&self, operation: O) -> Result<Permitted<O>, Failure> {
        let Some(access) = &self.settings().access else {
            let caller = self.recorded::<O>(Caller::new(Principal::Anonymous));
            return Ok(self.registry().permit(caller, operation).await?);
        };
        let needed = access::needed(operation.requirement());
        let caller = match access.caller(&self.head.headers) {
            Ok(caller) => self.recorded::<O>(caller),
            Err(BadToken) => return Err(access.challenge(self, needed, Some("invalid_token"))),
        };
        // A call that asks twice is of the same caller.
        self.tell_asker(&caller.principal);
        let insufficient = caller.rights.as_ref().map(|_| "insufficient_scope");
        match self.registry().permit(caller, operation).await {
            // The same for what is not theirs to see and for what is not there: neither was looked for.
            Err(Error::Denied) => Err(access.challenge(self, needed, insufficient)),
            other => Ok(other?),
        }
    }

    /// A caller, with what is recorded of one who changes something.
    fn recorded<O: Operation>(&self, mut caller: Caller) -> Caller {
        if O::MUTATES {
            caller.address = Some(self.client_address());
            caller.request_id = Some(self.id.to_string());
        }
        caller
    }

    /// Where a browser's request comes from.
    pub(super) fn visit(&self) -> Visit {
        Visit { address: Some(self.client_address()), request_id: Some(self.id.to_string()) }
    }

    /// What ends the path, not decoded.
    pub(super) fn place_text(&self) -> &str {
        &self.head.uri.path()[self.place.last.clone()]
    }

    /// Takes so many of what somebody may do with images of a repository's namespace.
    pub(super) async fn limited(
        &self,
        doing: Doing,
        principal: &Principal,
        repository: &RepositoryName,
        cost: u32,
    ) -> Result<Told, Failure> {
        let Some(limits) = &self.settings().image_limits else { return Ok(Told::default()) };
        let who = (principal, self.client_address());
        limits.take(doing, who, repository.namespace(), cost).await
    }

    /// `scheme://host` as the client sees this registry, where a URL has to be absolute.
    pub(super) fn absolute_base(&self) -> String {
        let origin = &self.settings().origin;
        let base = origin.location_base(&self.head.headers, self.connection.peer.ip());
        if base.starts_with("http") {
            return base.into_owned();
        }
        let scheme = if self.connection.tls { "https" } else { "http" };
        let host = self.head.uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| self.header(HOST)).unwrap_or_default();
        // A host that is none would become part of a header.
        let is_host = host.parse::<Authority>().is_ok_and(|it| !it.as_str().contains('@'));
        format!("{scheme}://{}{base}", if is_host { host } else { "localhost" })
    }

    /// The repository named by the path.
    pub(super) fn repository(&self) -> Result<RepositoryName, Failure> {
        self.parsed(self.place.name.clone(), ErrorCode::NameInvalid)
    }

    /// Checks the repository of a path that may stand without one.
    pub(super) fn extension_scope(&self) -> Result<(), Failure> {
        if self.place.name.is_empty() { Ok(()) } else { self.repository().map(drop) }
    }

    /// The tag or digest that ends the path.
    pub(super) fn reference(&self) -> Result<Reference, Failure> {
        let text = self.decoded(self.place.last.clone(), ErrorCode::ManifestInvalid)?;
        let code =
            if text.contains(':') { ErrorCode::DigestInvalid } else { ErrorCode::ManifestInvalid };
        parse(&text, code)
    }

    /// The digest that ends the path.
    pub(super) fn digest(&self) -> Result<Digest, Failure> {
        self.parsed(self.place.last.clone(), ErrorCode::DigestInvalid)
    }

    /// The number of a part that ends the path; one that is none is not known.
    pub(super) fn part(&self) -> Result<PartNumber, Failure> {
        let text = &self.head.uri.path()[self.place.part.clone()];
        text.parse().map_err(|_| {
            let message = format!("there is no part {}", shortened(text));
            Failure::not_found(ErrorCode::BlobUploadUnknown, message)
        })
    }

    /// The upload that the path names. A text that names no upload could not have been handed out, so it is unknown.
    pub(super) fn upload(&self) -> Result<UploadId, Failure> {
        let text = &self.head.uri.path()[self.place.last.clone()];
        text.parse().map_err(|_| {
            let message = format!("the upload {} is not known", shortened(text));
            Failure::not_found(ErrorCode::BlobUploadUnknown, message)
        })
    }

    /// A header as text; `None` when it is not there or no text.
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// Each value of a parameter of the query, decoded.
    pub(super) fn parameters<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = Cow<'a, str>> + 'a {
        query::parameters(self.head.uri.query().unwrap_or_default(), name)
    }

    /// The first value of a parameter, parsed; an error of `code` when it is not of its form.
    pub(super) fn parameter<T>(&self, name: &str, code: ErrorCode) -> Result<Option<T>, Failure>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.parameters(name).next() else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| {
            let message =
                format!("the parameter {name}={} is not valid: {error}", shortened(&text));
            Failure::invalid(code, message)
        })
    }

    /// The digest that a request names which ends an upload.
    pub(super) fn whole_digest(&self) -> Result<Digest, Failure> {
        self.parameter("digest", ErrorCode::DigestInvalid)?.ok_or_else(|| {
            let message = "the request that ends an upload names the digest of the whole blob: ?digest=sha256:…";
            Failure::invalid(ErrorCode::DigestInvalid, message)
        })
    }

    /// The page that `n` and `last` ask for.
    pub(super) fn page(&self) -> Result<(Option<usize>, Option<String>), Failure> {
        let limit = match self.parameters("n").next() {
            None => None,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(text.parse().unwrap_or(usize::MAX))
            }
            Some(text) => {
                let message =
                    format!("the parameter n={} must be a whole number", shortened(&text));
                return Err(Failure::invalid(ErrorCode::Unsupported, message));
            }
        };
        let last = self.parameters("last").next().map(Cow::into_owned);
        Ok((limit, last.filter(|last| !last.is_empty())))
    }

    /// How many bytes of body the client announced.
    pub(super) fn announced(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| hyper::body::Body::size_hint(body).exact())
    }

    /// The whole body, when it has at most `limit` bytes.
    pub(super) async fn collect(&mut self, limit: u64) -> Result<Bytes, IncomingError> {
        match self.take_body(limit) {
            Some(body) => body.collect(limit).await,
            None => Ok(Bytes::new()),
        }
    }

    /// The body as a source of bytes, at most `limit` of them.
    pub(super) fn source(&mut self, limit: u64) -> Source<'static> {
        let Some(body) = self.take_body(limit) else {
            return Box::pin(futures_util::stream::empty());
        };
        Box::pin(body.map(|frame| {
            frame.map_err(|error| match error {
                IncomingError::TooLong { limit } => SourceError::TooLong { limit },
                IncomingError::TooSlow => SourceError::TooSlow,
                IncomingError::Broken => SourceError::Broken,
            })
        }))
    }

    /// The absolute or relative form of a path of ours, as the client must see it.
    pub(super) fn location(&self, path: &str) -> String {
        let origin = &self.settings().origin;
        let base = origin.location_base(&self.head.headers, self.connection.peer.ip());
        format!("{base}{path}")
    }

    fn take_body(&mut self, limit: u64) -> Option<IncomingBody<Unread>> {
        let settings = self.settings();
        let limits = Limits {
            stall: settings.body_stall,
            grace: settings.body_stall,
            min_bytes_per_second: settings.min_body_rate,
            ..Limits::up_to(limit)
        };
        self.body.take().map(|body| IncomingBody::new(body, limits))
    }

    fn decoded(
        &self,
        part: std::ops::Range<usize>,
        code: ErrorCode,
    ) -> Result<Cow<'_, str>, Failure> {
        let text = &self.head.uri.path()[part];
        percent_decode_str(text).decode_utf8().map_err(|_| {
            Failure::invalid(code, format!("{} is not valid: it is not UTF-8", shortened(text)))
        })
    }

    fn parsed<T>(&self, part: std::ops::Range<usize>, code: ErrorCode) -> Result<T, Failure>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        parse(&self.decoded(part, code)?, code)
    }
}

fn parse<T>(text: &str, code: ErrorCode) -> Result<T, Failure>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| {
        Failure::invalid(code, format!("{} is not valid: {error}", shortened(text)))
    })
}

/// A client's text for a message: quoted, with what would not print escaped, and never long.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
