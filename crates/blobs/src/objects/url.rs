//! The URL of an object store: which service, which bucket, and the prefix under which Wharf keeps its objects.

use std::fmt;
use std::str::FromStr;

/// A service that keeps objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// S3, or what speaks it.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Service {
    const ALL: [Self; 3] = [Self::S3, Self::Google, Self::Azure];

    const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

/// `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`; the prefix may be absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStoreUrl {
    service: Service,
    bucket: String,
    prefix: String,
}

/// A text that is no URL of an object store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the URL of an object store: s3://bucket/prefix, gs://bucket/prefix or az://container/prefix, of \
     letters, digits, '-', '_' and '.'"
)]
pub struct NoObjectStoreUrl;

impl ObjectStoreUrl {
    /// Which service.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// The bucket; Azure calls it container.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix, without `/` at either end; empty where everything lies at the top.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for ObjectStoreUrl {
    type Err = NoObjectStoreUrl;

    fn from_str(text: &str) -> Result<Self, NoObjectStoreUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(NoObjectStoreUrl)?;
        let service = Service::ALL.into_iter().find(|service| service.scheme() == scheme);
        let service = service.ok_or(NoObjectStoreUrl)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let plain = |segment: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !segment.is_empty() && segment.bytes().all(letter) && segment.trim_matches('.') != ""
        };
        let plain_prefix = prefix.is_empty() || prefix.split('/').all(plain);
        if !plain(bucket) || bucket.len() > 255 || !plain_prefix || prefix.len() > 512 {
            return Err(NoObjectStoreUrl);
        }
        Ok(Self { service, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for ObjectStoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(formatter, "{}://{}{slash}{}", self.service.scheme(), self.bucket, self.prefix)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_and_written_back() {
        for (text, service, bucket, prefix) in [
            ("s3://layers", Service::S3, "layers", ""),
            ("s3://a.b-c/x/y_z", Service::S3, "a.b-c", "x/y_z"),
            ("gs://layers/wharf", Service::Google, "layers", "wharf"),
            ("az://layers/wharf", Service::Azure, "layers", "wharf"),
        ] {
            let url: ObjectStoreUrl = text.parse().unwrap();
            assert_eq!((url.service(), url.bucket(), url.prefix()), (service, bucket, prefix));
            assert_eq!(url.to_string(), text);
        }
        let url: ObjectStoreUrl = "s3://b/p//".parse().unwrap();
        assert_eq!(url.to_string(), "s3://b/p");
    }

    #[test]
    fn what_would_lie_elsewhere_than_it_looks_is_no_url() {
        for text in [
            "", "b", "s3:/b", "s3://", "s3:///p", "S3://b", "http://b", "s3://b/a//c", "s3://b/../c",
            "s3://b/./c", "s3://u:p@b", "s3://b?x=y", "s3://b/a b", "s3://b/%2e", "s3://..",
        ] {
            assert_eq!(text.parse::<ObjectStoreUrl>(), Err(NoObjectStoreUrl), "{text:?}");
        }
    }
}
