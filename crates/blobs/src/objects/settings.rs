//! Where an object store is, how long anything is waited for, and how it is opened.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::copying::never_over;
use super::{ObjectBlobs, S3, profile};

/// A bucket, and what stands before every key in it: `s3://bucket/prefix`, `gs://…`, `az://container/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStoreUrl {
    cloud: Cloud,
    bucket: String,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    S3,
    Google,
    Azure,
}

/// A text that names no bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the place of a bucket: s3://BUCKET/PREFIX, gs://… or az://…, of plain letters")]
pub struct NoObjectStoreUrl;

/// Why a store cannot be opened. It repeats no secret.
#[derive(Debug, thiserror::Error)]
#[error("the object store {url} cannot be used: {reason}")]
pub struct ObjectStoreError {
    url: ObjectStoreUrl,
    reason: String,
}

impl FromStr for ObjectStoreUrl {
    type Err = NoObjectStoreUrl;

    fn from_str(text: &str) -> Result<Self, NoObjectStoreUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(NoObjectStoreUrl)?;
        let cloud = match scheme {
            "s3" => Cloud::S3,
            "gs" => Cloud::Google,
            "az" => Cloud::Azure,
            _ => return Err(NoObjectStoreUrl),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let plain = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        let dots = |part: &str| part.is_empty() || part == "." || part == "..";
        let folders = || prefix.split('/');
        if bucket.is_empty()
            || !plain(bucket)
            || (!prefix.is_empty() && folders().any(|part| dots(part) || !plain(part)))
        {
            return Err(NoObjectStoreUrl);
        }
        Ok(Self { cloud, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for ObjectStoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.cloud {
            Cloud::S3 => "s3",
            Cloud::Google => "gs",
            Cloud::Azure => "az",
        };
        write!(formatter, "{scheme}://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(formatter, "/{}", self.prefix) }
    }
}

/// Sizes and times.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size in bytes of the first parts of an upload; 5 MiB is the least that S3 takes.
    pub part_size: u64,
    /// The largest object in bytes that S3 copies at once.
    pub single_copy: u64,
    /// The parts in bytes in which a larger one is copied.
    pub copy_part: u64,
    /// How long a request may take, with all its retries.
    pub request: Duration,
    /// How long one may take in which the store moves an object's bytes.
    pub long_request: Duration,
    /// How long a read may bring nothing.
    pub stall: Duration,
}

impl Limits {
    /// The usual sizes, with times that follow how long a request may take.
    #[must_use]
    pub fn of_requests(request: Duration) -> Self {
        Self {
            part_size: 8 << 20,
            single_copy: 5 << 30,
            copy_part: 1 << 30,
            request,
            long_request: request * 5,
            stall: request / 2,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_requests(Duration::from_secs(60))
    }
}

pub(super) fn open(
    url: &ObjectStoreUrl,
    environment: BTreeMap<String, String>,
    limits: Limits,
) -> Result<ObjectBlobs, ObjectStoreError> {
    let failed = |reason: String| ObjectStoreError { url: url.clone(), reason };
    let failed_by = |error: object_store::Error| failed(error.to_string());
    let prefix = Path::from(url.prefix.as_str());
    let (mut s3, mut azure) = (None, None);
    let client_of_our_own = || {
        let built = reqwest::Client::builder().connect_timeout(CONNECT).build();
        built.map_err(|error| failed(error.to_string()))
    };
    let service: Arc<dyn super::Service> = match url.cloud {
        Cloud::S3 => {
            let store = Arc::new(amazon(url, environment, limits).map_err(failed)?);
            let client = client_of_our_own()?;
            s3 = Some(S3 { store: Arc::clone(&store), bucket: url.bucket.clone(), client });
            store
        }
        Cloud::Google => {
            let mut builder = GoogleCloudStorageBuilder::new();
            for (name, value) in lower_case(environment, "google_") {
                if let Ok(key) = name.parse::<GoogleConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            let builder = builder.with_bucket_name(&url.bucket).with_retry(retries(limits));
            Arc::new(builder.with_client_options(client()).build().map_err(failed_by)?)
        }
        Cloud::Azure => {
            azure = Some(client_of_our_own()?);
            let mut builder = MicrosoftAzureBuilder::new();
            for (name, value) in lower_case(environment, "azure_") {
                if let Ok(key) = name.parse::<AzureConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            let builder = builder.with_container_name(&url.bucket).with_retry(retries(limits));
            Arc::new(builder.with_client_options(client()).build().map_err(failed_by)?)
        }
    };
    let plain_copies = AtomicBool::new(false);
    let requests = Arc::default();
    Ok(ObjectBlobs { service, s3, azure, plain_copies, prefix, limits, requests })
}

fn amazon(
    url: &ObjectStoreUrl,
    mut environment: BTreeMap<String, String>,
    limits: Limits,
) -> Result<object_store::aws::AmazonS3, String> {
    // The order of the clouds' own tools: keys of the environment, a profile's, then those of the machine.
    if !environment.contains_key("AWS_ACCESS_KEY_ID")
        && !environment.contains_key("AWS_WEB_IDENTITY_TOKEN_FILE")
    {
        for (name, value) in profile::read(&environment)? {
            environment.entry(name.to_owned()).or_insert(value);
        }
    }
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .find_map(|name| environment.get(*name).cloned());
    let mut builder = AmazonS3Builder::new();
    for (name, value) in lower_case(environment, "aws_") {
        if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder
        .with_bucket_name(&url.bucket)
        // Its checksum is what tells the store of bytes that changed on their way; SHA-256 would cost as much
        // as the digest does.
        .with_unsigned_payload(true)
        .with_checksum_algorithm(Checksum::CRC64NVME)
        .with_copy_if_not_exists(never_over())
        .with_client_options(client())
        .with_retry(retries(limits))
        .build()
        .map_err(|error| error.to_string())
}

const CONNECT: Duration = Duration::from_secs(5);

/// Bodies may take as long as they move: each request has its own limit around it. The scheme is what the
/// endpoint says, `http` included.
fn client() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT).with_timeout_disabled().with_allow_http(true)
}

fn retries(limits: Limits) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.,
        },
        max_retries: 5,
        retry_timeout: limits.request,
    }
}

/// Variables that Azure's own tools read, and that the library knows by other names.
const AZURE_NAMES: [(&str, &str); 2] = [
    ("azure_storage_account", "azure_storage_account_name"),
    ("azure_storage_key", "azure_storage_account_key"),
];

/// The variables of a cloud, by the names that the library knows.
fn lower_case(
    environment: BTreeMap<String, String>,
    cloud: &str,
) -> impl Iterator<Item = (String, String)> {
    let known = |(name, value): (String, String)| {
        let name = name.to_ascii_lowercase();
        let other = AZURE_NAMES.iter().find(|(theirs, _)| *theirs == name);
        (other.map_or(name, |(_, ours)| (*ours).to_owned()), value)
    };
    environment.into_iter().map(known).filter(move |(name, _)| name.starts_with(cloud))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_perhaps_a_prefix() {
        for text in ["s3://b", "s3://bucket.name/a/b-c", "gs://bucket/p", "az://container/p"] {
            assert_eq!(text.parse::<ObjectStoreUrl>().unwrap().to_string(), text);
        }
        assert_eq!("s3://b/p/".parse::<ObjectStoreUrl>().unwrap().to_string(), "s3://b/p");
        for text in
            ["s3://", "s3:///p", "s3://b/../c", "s3://b//c", "s3://b/p?x=1", "s3://u:p@b", "x://b"]
        {
            assert_eq!(text.parse::<ObjectStoreUrl>(), Err(NoObjectStoreUrl), "{text:?}");
        }
    }
}
