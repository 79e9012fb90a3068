//! Replies of the API.

use http::header::{CACHE_CONTROL, ETAG, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use super::ask::Version;
use super::problem::Problem;
use crate::api::reply::{self, JSON};
use crate::body::Body;

/// What a request is answered with.
pub(in crate::api) trait Answer: Send {
    /// The statuses that it may have.
    const STATUSES: &'static [StatusCode];

    /// The schema of its body, where it has one.
    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema>;

    /// The reply.
    fn reply(self) -> Result<Response<Body>, Problem>;
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let text =
        serde_json::to_string(value).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = reply::json(JSON, text, false);
    *response.status_mut() = status;
    // What is said here depends on who asks, and on what is recorded now.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A value.
pub(in crate::api) struct Plain<T>(pub(super) T);

impl<T: Serialize + JsonSchema + Send> Answer for Plain<T> {
    const STATUSES: &'static [StatusCode] = &[StatusCode::OK];

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        Some(schemas.subschema_for::<T>())
    }

    fn reply(self) -> Result<Response<Body>, Problem> {
        json(StatusCode::OK, &self.0)
    }
}

/// A value of a version, which its ETag tells.
pub(in crate::api) struct Versioned<T> {
    pub(super) value: T,
    pub(super) version: Version,
    /// Whether who asks has it already.
    pub(super) known: bool,
}

impl<T: Serialize + JsonSchema + Send> Answer for Versioned<T> {
    const STATUSES: &'static [StatusCode] = &[StatusCode::OK, StatusCode::NOT_MODIFIED];

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        Some(schemas.subschema_for::<T>())
    }

    fn reply(self) -> Result<Response<Body>, Problem> {
        let mut response = if self.known {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            json(StatusCode::OK, &self.value)?
        };
        response.headers_mut().insert(ETAG, reply::value(self.version.to_string()));
        if self.known {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Ok(response)
    }
}

/// What was made, and where it is.
pub(in crate::api) struct Created<T> {
    pub(super) value: T,
    /// Its address.
    pub(super) location: String,
    /// Whether it was made before, under the same key.
    pub(super) again: bool,
}

impl<T: Serialize + JsonSchema + Send> Answer for Created<T> {
    const STATUSES: &'static [StatusCode] = &[StatusCode::CREATED, StatusCode::OK];

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        Some(schemas.subschema_for::<T>())
    }

    fn reply(self) -> Result<Response<Body>, Problem> {
        let status = if self.again { StatusCode::OK } else { StatusCode::CREATED };
        let mut response = json(status, &self.value)?;
        response.headers_mut().insert(LOCATION, reply::value(self.location));
        Ok(response)
    }
}

/// It is done, and there is nothing to say.
pub(in crate::api) struct Done;

impl Answer for Done {
    const STATUSES: &'static [StatusCode] = &[StatusCode::NO_CONTENT];

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }

    fn reply(self) -> Result<Response<Body>, Problem> {
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }
}
