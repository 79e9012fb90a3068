//! One upload session of a registry, request by request (distribution-spec, "Pushing a blob in chunks").

use http::{HeaderValue, Method, StatusCode, Uri, header};
use wharf_oci::{Algorithm, ContentRange, Digest, RepositoryName};

use super::Repository;
use crate::connection::{Call, Payload, Reply, encode, with_query};
use crate::{BlobStream, Error, Scope};

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// How an upload began.
pub(super) enum Opened {
    /// It is over: the repository holds the blob.
    Mounted,
    /// The bytes can come.
    Session(Session),
}

/// An upload session.
pub(super) struct Session {
    repository: Repository,
    location: Uri,
    /// The smallest chunk in bytes that the registry takes, the last one excepted.
    pub(super) smallest_chunk: u64,
}

/// What a registry holds of an upload, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// So many bytes from the start.
    Bytes(u64),
    /// It does not say, or says what may mean none or one.
    Unknown,
}

impl Session {
    /// Begins an upload, or mounts the blob from `mount`.
    pub(super) async fn open(
        repository: &Repository,
        digest: &Digest,
        mount: Option<&RepositoryName>,
    ) -> Result<Opened, Error> {
        let query = match (mount, digest.algorithm()) {
            (Some(from), _) => format!("?mount={digest}&from={}", encode(from.as_str())),
            (None, Algorithm::Sha256) => String::new(),
            (None, algorithm) => format!("?digest-algorithm={algorithm}"),
        };
        let mut call = repository.writing(Method::POST, &format!("blobs/uploads/{query}"))?;
        call.scopes.extend(mount.map(Scope::pull));
        let reply = repository.client().call(call).await?;
        match reply.status {
            StatusCode::CREATED if mount.is_some() => Ok(Opened::Mounted),
            StatusCode::ACCEPTED => {
                let location = reply
                    .location()?
                    .ok_or_else(|| reply.unexpected("without the Location of the upload"))?;
                let smallest = reply.header("oci-chunk-min-length").and_then(|t| t.parse().ok());
                let smallest_chunk = smallest.unwrap_or_default();
                let repository = repository.clone();
                Ok(Opened::Session(Self { repository, location, smallest_chunk }))
            }
            status if status.is_success() => Err(reply.unexpected("where 202 was expected")),
            _ => Err(reply.refusal().await),
        }
    }

    /// Sends the bytes `first..last + 1`. Returns how many the registry then holds.
    pub(super) async fn send(
        &mut self,
        range: ContentRange,
        bytes: BlobStream,
    ) -> Result<u64, Error> {
        let end = range.first + range.length();
        let call = self
            .call(Method::PATCH, self.location.clone())
            .body(OCTETS, Payload::Stream(range.length(), bytes))
            .header(header::CONTENT_RANGE, content_range(range)?);
        let reply = self.repository.client().call(call).await?;
        match reply.status.as_u16() {
            202 | 201 | 204 => {
                self.follow(&reply)?;
                Ok(match held(&reply) {
                    Held::Bytes(held) if held <= end => held,
                    Held::Bytes(_) | Held::Unknown => end,
                })
            }
            // Elsewhere, with the same bytes: they are sent again.
            307 | 308 => {
                self.follow(&reply)?;
                Ok(range.first)
            }
            _ => Err(reply.refusal().await),
        }
    }

    /// Closes the upload: its bytes are the blob's. `rest` are all its bytes, where none were sent before.
    pub(super) async fn close(
        &self,
        digest: &Digest,
        rest: Option<bytes::Bytes>,
    ) -> Result<(), Error> {
        let uri = with_query(&self.location, "digest", &digest.to_string())?;
        let mut call = self.call(Method::PUT, uri);
        if let Some(bytes) = rest.filter(|bytes| !bytes.is_empty()) {
            call = call.body(OCTETS, Payload::Bytes(bytes));
        }
        let patience = self.repository.client().options().commit_timeout;
        let reply = self.repository.client().call(call.patience(patience)).await?;
        match reply.status.as_u16() {
            201 | 200 | 204 => Ok(()),
            status if status < 300 => Err(reply.unexpected("where 201 was expected")),
            _ => Err(reply.refusal().await),
        }
    }

    /// Asks what the registry holds of the upload.
    pub(super) async fn status(&mut self) -> Result<Held, Error> {
        let call = self.call(Method::GET, self.location.clone());
        let reply = self.repository.client().call(call).await?;
        if !reply.status.is_success() {
            return Err(reply.refusal().await);
        }
        self.follow(&reply)?;
        Ok(held(&reply))
    }

    /// Gives the upload up. Failures do not matter: the registry forgets it in time.
    pub(super) async fn cancel(&self) {
        let mut call = self.call(Method::DELETE, self.location.clone());
        call.is_worth_retrying = false;
        let _ = self.repository.client().call(call).await;
    }

    fn call(&self, method: Method, uri: Uri) -> Call {
        self.repository.writing_at(method, uri)
    }

    /// The next request goes where the reply says.
    fn follow(&mut self, reply: &Reply) -> Result<(), Error> {
        if let Some(location) = reply.location()? {
            self.location = location;
        }
        Ok(())
    }
}

fn content_range(range: ContentRange) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(range.to_string())
        .map_err(|_| Error::Setup("a range that no header can hold".to_owned()))
}

/// `Range: 0-<last byte>`. `0-0` is one byte by the specification, and none in the words of Docker's registry;
/// `Upload-Offset` (draft-ietf-httpbis-resumable-upload), where a registry has it, is clear.
fn held(reply: &Reply) -> Held {
    if let Some(offset) = reply.header("upload-offset").and_then(|text| text.parse().ok()) {
        return Held::Bytes(offset);
    }
    match reply.header(header::RANGE.as_str()).map(str::parse::<ContentRange>) {
        Some(Ok(range)) if range.first == 0 && range.last > 0 => Held::Bytes(range.length()),
        _ => Held::Unknown,
    }
}
