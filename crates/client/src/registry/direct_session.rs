//! One direct upload of a registry that offers them, request by request (docs/direct-upload.md).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use wharf_oci::Digest;

use super::Repository;
use crate::connection::{Origin, Payload, resolve, with_query};
use crate::{Error, Retries};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The most bytes of a document that are read.
const MAX_DOCUMENT: usize = 1 << 20;

/// The end-point that a registry announces which takes direct uploads.
const ENDPOINT: &str = "_wharf/direct/uploads";

/// The most parts of an upload, and the largest part in bytes: it is held in memory.
const MOST_PARTS: u64 = 10_000;
const LARGEST_PART: u64 = 256 << 20;

/// How many parts' addresses are asked for at once. They are good for some time only.
const ADDRESSES: u32 = 16;

/// How fast the registry reads what it verifies at least, in bytes a second, beyond the time that it always has.
const SLOWEST: u64 = 16 << 20;

/// A direct upload.
pub(super) struct DirectSession<'a> {
    repository: &'a Repository,
    location: Uri,
    /// The size of a part in bytes, and how many there are.
    pub(super) part_size: u64,
    pub(super) count: u32,
}

/// How it began.
pub(super) enum Begun<'a> {
    /// It is over: the repository holds the blob.
    Held,
    /// The parts can be sent.
    Session(DirectSession<'a>),
}

/// Where a part goes.
#[derive(Clone)]
pub(super) struct Address {
    uri: Uri,
    size: u64,
    /// Whether it is the registry's own, and wants to know who asks.
    authorize: bool,
}

/// A part that arrived.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Arrived {
    number: u32,
    etag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    size: u64,
    part_size: u64,
    parts: u64,
}

#[derive(Deserialize)]
struct Addresses {
    parts: Vec<PartAddress>,
}

#[derive(Deserialize)]
struct PartAddress {
    number: u32,
    size: u64,
    url: String,
    #[serde(default)]
    authorize: bool,
}

/// Whether a registry offers direct uploads. One that does not answer does not.
pub(super) async fn is_offered(repository: &Repository) -> bool {
    #[derive(Deserialize)]
    struct Extensions {
        extensions: Vec<Extension>,
    }
    #[derive(Deserialize)]
    struct Extension {
        #[serde(default)]
        endpoints: Vec<String>,
    }
    let asking = async {
        let registry = repository.registry();
        let mut call = registry.call(Method::GET, "/v2/_oci/ext/discover", Vec::new())?;
        call.is_worth_retrying = false;
        let reply = repository.client().call(call).await?;
        if reply.status != StatusCode::OK {
            return Err(reply.refusal().await);
        }
        reply.bytes("the list of extensions", MAX_DOCUMENT).await
    };
    let Ok(document) = asking.await else { return false };
    let Ok(found) = serde_json::from_slice::<Extensions>(&document) else { return false };
    found.extensions.iter().any(|it| it.endpoints.iter().any(|endpoint| endpoint == ENDPOINT))
}

impl<'a> DirectSession<'a> {
    /// Begins an upload of `size` bytes.
    pub(super) async fn open(repository: &'a Repository, size: u64) -> Result<Begun<'a>, Error> {
        let body = Bytes::from(serde_json::json!({ "size": size }).to_string());
        let call = repository
            .writing(Method::POST, &format!("{ENDPOINT}/"))?
            .body(JSON, Payload::Bytes(body));
        let reply = repository.client().call(call).await?;
        if reply.status != StatusCode::CREATED {
            return Err(reply.refusal().await);
        }
        if reply.content_length() == Some(0) {
            return Ok(Begun::Held);
        }
        let location = reply.location()?;
        let location = location.ok_or_else(|| reply.unexpected("without the Location"))?;
        let host = reply.host();
        let document = reply.bytes("the plan of a direct upload", MAX_DOCUMENT).await?;
        let plan: Plan = serde_json::from_slice(&document)
            .map_err(|error| Error::protocol(&host, format!("a plan that is none: {error}")))?;
        let part_size = plan.part_size;
        let sane = plan.size == size
            && (1..=LARGEST_PART).contains(&part_size)
            && plan.parts == size.div_ceil(part_size)
            && plan.parts <= MOST_PARTS;
        if !sane {
            return Err(Error::protocol(&host, "a plan that does not fit the blob"));
        }
        let count = plan.parts as u32;
        Ok(Begun::Session(Self { repository, location, part_size, count }))
    }

    /// Where a part goes: what is known, or else asked for, with those that come after it.
    pub(super) async fn address(
        &self,
        number: u32,
        known: &mut BTreeMap<u32, Address>,
    ) -> Result<Address, Error> {
        if let Some(address) = known.remove(&number) {
            return Ok(address);
        }
        let last = number.saturating_add(ADDRESSES - 1).min(self.count);
        let wanted: Vec<u32> = (number..=last).collect();
        *known = self.addresses_of(&wanted).await?;
        known.remove(&number).ok_or_else(|| self.lacks_a_part())
    }

    /// Where a part goes, asked anew.
    pub(super) async fn address_again(&self, number: u32) -> Result<Address, Error> {
        let mut found = self.addresses_of(&[number]).await?;
        found.remove(&number).ok_or_else(|| self.lacks_a_part())
    }

    fn lacks_a_part(&self) -> Error {
        Error::protocol(self.host(), "addresses that lack a part asked for")
    }

    async fn addresses_of(&self, numbers: &[u32]) -> Result<BTreeMap<u32, Address>, Error> {
        let uri = below(&self.location, "parts")?;
        let body = Bytes::from(serde_json::json!({ "parts": numbers }).to_string());
        let call =
            self.repository.writing_at(Method::POST, uri.clone()).body(JSON, Payload::Bytes(body));
        let reply = self.repository.client().call(call).await?;
        if reply.status != StatusCode::OK {
            return Err(reply.refusal().await);
        }
        let base = reply.uri.clone();
        let document = reply.bytes("the addresses of parts", MAX_DOCUMENT).await?;
        let found: Addresses = serde_json::from_slice(&document).map_err(|error| {
            Error::protocol(self.host(), format!("addresses that are none: {error}"))
        })?;
        let address = |part: PartAddress| {
            let uri = resolve(&base, &part.url)?;
            self.check(&uri, part.authorize)?;
            Ok((part.number, Address { uri, size: part.size, authorize: part.authorize }))
        };
        found.parts.into_iter().map(address).collect()
    }

    /// Nothing goes in the clear that the registry itself would have encrypted, and nobody else learns who asks.
    fn check(&self, uri: &Uri, authorize: bool) -> Result<(), Error> {
        let registry = &self.repository.registry().origin;
        let to = Origin::of(uri).ok_or_else(|| Error::protocol(self.host(), "no address"))?;
        if registry.https && !to.https {
            return Err(Error::protocol(self.host(), "with parts that go by plain HTTP"));
        }
        if authorize && to != *registry {
            return Err(Error::protocol(self.host(), "with credentials for another host"));
        }
        Ok(())
    }

    /// Sends a part once.
    pub(super) async fn send(
        &self,
        number: u32,
        address: Address,
        bytes: Bytes,
    ) -> Result<Arrived, Error> {
        let size = bytes.len() as u64;
        if address.size != size {
            return Err(Error::protocol(self.host(), "a part of another size than planned"));
        }
        let mut call = self
            .repository
            .writing_at(Method::PUT, address.uri)
            .body(OCTETS, Payload::Bytes(bytes));
        call.is_worth_retrying = false;
        if !address.authorize {
            // The URL says all; who carries the parts is not told who the user is.
            call.credentials = Some(None);
        }
        let reply = self.repository.client().call(call).await?;
        if !reply.status.is_success() {
            return Err(reply.refusal().await);
        }
        let etag = reply.header(header::ETAG.as_str()).map(str::to_owned);
        let etag = etag.ok_or_else(|| reply.unexpected("without the ETag of the part"))?;
        Ok(Arrived { number, etag })
    }

    /// Ends the upload, and waits until the registry has verified it.
    pub(super) async fn close(&self, digest: &Digest, parts: &[Arrived]) -> Result<(), Error> {
        let uri = with_query(&self.location, "digest", &digest.to_string())?;
        let body = Bytes::from(serde_json::json!({ "parts": parts }).to_string());
        let options = self.repository.client().options();
        let size = self.part_size.saturating_mul(u64::from(self.count));
        let longest = options.commit_timeout + Duration::from_secs(size / SLOWEST);
        let begun = Instant::now();
        loop {
            let call = self
                .repository
                .writing_at(Method::PUT, uri.clone())
                .body(JSON, Payload::Bytes(body.clone()));
            let reply = self.repository.client().call(call).await?;
            match reply.status {
                StatusCode::CREATED => return Ok(()),
                StatusCode::ACCEPTED if begun.elapsed() < longest => {
                    let asked = reply.header(header::RETRY_AFTER.as_str());
                    let seconds = asked.and_then(|text| text.parse().ok()).unwrap_or(1);
                    let wait = Duration::from_secs(seconds);
                    tokio::time::sleep(wait.min(options.retries.longest_asked_wait)).await;
                }
                StatusCode::ACCEPTED => {
                    return Err(reply.unexpected("for longer than it may take"));
                }
                status if status.is_success() => {
                    return Err(reply.unexpected("where 201 was expected"));
                }
                _ => return Err(reply.refusal().await),
            }
        }
    }

    /// Gives the upload up. Failures do not matter: the registry forgets it in time.
    pub(super) async fn cancel(&self) {
        let mut call = self.repository.writing_at(Method::DELETE, self.location.clone());
        call.is_worth_retrying = false;
        let _ = self.repository.client().call(call).await;
    }

    pub(super) fn retries(&self) -> Retries {
        self.repository.client().options().retries
    }

    fn host(&self) -> String {
        self.repository.registry().host().to_string()
    }
}

/// The address of what lies below another.
fn below(uri: &Uri, name: &str) -> Result<Uri, Error> {
    let bad = || Error::protocol(uri.host().unwrap_or_default(), "an address that is none");
    let path = uri.path().trim_end_matches('/');
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    Origin::of(uri).ok_or_else(bad)?.uri(&format!("{path}/{name}{query}"))
}
