//! On what a change depends: that it did not happen before under the same key, and that what it changes is as the client saw it.

use std::fmt;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, Method, StatusCode};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::Once;
use wharf_core::permissions::Principal;
use wharf_oci::{Algorithm, Hasher};

use super::Ask;
use crate::api::management::problem::Problem;

/// The longest key of a change that is to happen once.
const LONGEST_KEY: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl<Q, B> Ask<Q, B> {
    /// Whether a change is to happen once. Only a POST would happen twice; and strangers have no keys of their own.
    pub(in crate::api::management) fn once(&self) -> Result<Option<Once>, Problem> {
        let is_strangers = self.caller.principal == Principal::Anonymous;
        if self.call.head.method != Method::POST || is_strangers {
            return Ok(None);
        }
        let Some(key) = self.call.head.headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
        let text = key.to_str().unwrap_or_default();
        let is_key = (1..=LONGEST_KEY).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key {
            let detail = "the header must be 1 to 255 visible characters, without spaces";
            return Err(Problem::invalid("Idempotency-Key", detail));
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let head = &self.call.head;
        for part in [head.method.as_str(), head.uri.path(), &self.said] {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hasher.finish().hash());
        Ok(Some(Once { key: text.to_owned(), fingerprint }))
    }

    /// The version that a change expects (RFC 9110, section 13.1.1); any where the request says none.
    pub(in crate::api::management) fn expected(&self) -> Result<Option<Version>, Problem> {
        let mut all = self.call.head.headers.get_all(IF_MATCH).iter();
        let Some(header) = all.next() else { return Ok(None) };
        if header.as_bytes() == b"*" && all.next().is_none() {
            return Ok(None);
        }
        let version = header.to_str().ok().and_then(Version::read).filter(|_| all.next().is_none());
        version.map(Some).ok_or_else(stale)
    }

    /// The number that a change expects of something. When that was made is looked up where the request names a version:
    /// another one of the same name is not that.
    pub(in crate::api::management) async fn expected_of(
        &self,
        created_at: impl Future<Output = Result<Timestamp, Problem>>,
    ) -> Result<Option<i64>, Problem> {
        match self.expected()? {
            None => Ok(None),
            Some(version) if version.created_at == created_at.await? => Ok(Some(version.number)),
            Some(_) => Err(stale()),
        }
    }

    /// Whether who asks has this version already (RFC 9110, section 13.1.2).
    pub(in crate::api::management) fn has_version(&self, version: Version) -> bool {
        let known = self.call.header(IF_NONE_MATCH).unwrap_or_default();
        known.split(',').any(|known| known.trim() == "*" || Version::read(known) == Some(version))
    }
}

fn stale() -> Problem {
    let detail = "what If-Match names is no ETag of this: read it again, and decide again";
    Problem::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
}

/// Which state of something is meant: what an ETag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Version {
    /// Counts the changes.
    pub(in crate::api::management) number: i64,
    /// When it was made: the counts of another one of the same name begin anew.
    pub(in crate::api::management) created_at: Timestamp,
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let (number, made) = text.trim().strip_prefix('"')?.strip_suffix('"')?.split_once('.')?;
        let created_at = Timestamp(i64::from_str_radix(made, 16).ok()?);
        Some(Self { number: number.parse().ok()?, created_at })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}.{:x}\"", self.number, self.created_at.0)
    }
}
