//! A blob on its way here, taken up by `Range` where its connection broke (RFC 9110, section 14).

use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Method, StatusCode, header};
use wharf_oci::Digest;

use super::Repository;
use crate::connection::{Reply, ReplyBody, backoff};
use crate::{BlobStream, Error};

pub(super) struct Download {
    repository: Repository,
    digest: Digest,
    size: u64,
    /// The next byte wanted.
    position: u64,
    body: Option<ReplyBody>,
    /// Bytes to pass over, because the registry ignores ranges.
    unwanted: u64,
    /// How often in a row nothing came.
    failures: u32,
}

impl Download {
    /// Asks for the blob from `offset` on. An empty rest is not asked for where the size is known.
    pub(super) async fn open(
        repository: Repository,
        digest: Digest,
        size: Option<u64>,
        offset: u64,
    ) -> Result<Self, Error> {
        let mut download = Self {
            repository,
            digest,
            size: size.unwrap_or_default(),
            position: offset,
            body: None,
            unwanted: 0,
            failures: 0,
        };
        let is_at_end = size.is_some_and(|size| offset == size && size > 0);
        if !is_at_end {
            download.ask(size).await?;
        }
        Ok(download)
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The rest of the blob as a stream.
    pub(super) fn into_stream(self) -> BlobStream {
        stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|bytes| (bytes, download)))
        })
        .boxed()
    }

    /// Asks for the blob from `position` on; its size must be `size`, where that is known.
    async fn ask(&mut self, size: Option<u64>) -> Result<(), Error> {
        let repository = &self.repository;
        let mut call = repository.reading(Method::GET, &format!("blobs/{}", self.digest))?;
        if self.position > 0 {
            let range = format!("bytes={}-", self.position);
            let range = HeaderValue::try_from(range)
                .map_err(|_| Error::Setup("a range that no header can hold".to_owned()))?;
            call = call.header(header::RANGE, range);
        }
        // Blobs are what they are: nothing on the way shall compress them.
        call = call.header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let reply = repository.client().call(call).await?;
        let found = match reply.status {
            StatusCode::OK => {
                self.unwanted = self.position;
                reply.content_length()
            }
            StatusCode::PARTIAL_CONTENT => {
                self.unwanted = 0;
                self.total(&reply)?
            }
            StatusCode::NOT_FOUND => return Err(repository.blob_not_found(&self.digest)),
            _ => return Err(reply.refusal().await),
        };
        self.size = match (size, found) {
            (Some(expected), Some(found)) if expected != found => {
                return Err(Error::Size { digest: self.digest, expected, found });
            }
            (Some(size), _) | (None, Some(size)) => size,
            (None, None) => return Err(reply.unexpected("without Content-Length")),
        };
        self.body = Some(reply.body);
        Ok(())
    }

    /// The size of the whole blob in `Content-Range: bytes first-last/size`, which must begin where it was asked to.
    fn total(&self, reply: &Reply) -> Result<Option<u64>, Error> {
        let header = reply.header(header::CONTENT_RANGE.as_str());
        let parsed = header.and_then(|text| {
            let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
            let first: u64 = range.split_once('-')?.0.trim().parse().ok()?;
            Some((first, total.trim().parse().ok()))
        });
        match parsed {
            Some((first, total)) if first == self.position => Ok(total),
            _ => Err(reply.unexpected("with another range than was asked for")),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let error = match self.read().await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            self.body = None;
            self.failures += 1;
            let retries = self.repository.client().options().retries;
            if !error.is_transient() || self.failures >= retries.attempts {
                return Err(error);
            }
            tokio::time::sleep(backoff(&retries, self.failures)).await;
        }
    }

    /// The next bytes of the blob, from a new reply where the last one broke.
    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        if self.position == self.size {
            return self.end().await;
        }
        if self.body.is_none() {
            self.ask(Some(self.size)).await?;
        }
        while let Some(body) = &mut self.body {
            let Some(mut bytes) = body.next().await? else {
                return Err(Error::Broken {
                    host: self.repository.registry().host().to_string(),
                    reason: "the reply ended too early".to_owned(),
                });
            };
            let passed = self.unwanted.min(bytes.len() as u64);
            self.unwanted -= passed;
            bytes.advance(usize::try_from(passed).unwrap_or(usize::MAX));
            if bytes.is_empty() {
                continue;
            }
            self.position += bytes.len() as u64;
            self.failures = 0;
            if self.position > self.size {
                return Err(self.too_much());
            }
            return Ok(Some(bytes));
        }
        Ok(None)
    }

    /// Nothing may come behind the end. A connection that breaks there has lost nothing.
    async fn end(&mut self) -> Result<Option<Bytes>, Error> {
        if let Some(mut body) = self.body.take() {
            while let Ok(Some(bytes)) = body.next().await {
                if !bytes.is_empty() {
                    self.position += bytes.len() as u64;
                    return Err(self.too_much());
                }
            }
        }
        Ok(None)
    }

    fn too_much(&self) -> Error {
        Error::Size { digest: self.digest, expected: self.size, found: self.position }
    }
}
