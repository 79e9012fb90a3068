//! What the query and the body of a request say.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::call::Call;
use crate::api::management::problem::Problem;

/// The largest body in bytes.
const LARGEST_BODY: u64 = 64 << 10;

/// Fields that are left out where a request is recognised again: of those nothing is kept, not even a hash that could be
/// guessed at.
const SECRETS: [&str; 3] = ["password", "current", "invitation"];

/// What has no parts.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Nothing {}

/// What a request's body is.
pub(in crate::api) trait RequestBody: Sized + Send {
    /// Its schema, where there is one.
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema>;

    /// Reads it, with what it says but for secrets.
    fn read(call: &mut Call) -> impl Future<Output = Result<(Self, String), Problem>> + Send;
}

impl RequestBody for Nothing {
    fn schema(_: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }

    async fn read(_: &mut Call) -> Result<(Self, String), Problem> {
        Ok((Self {}, String::new()))
    }
}

/// A JSON document.
#[derive(Debug)]
pub(in crate::api) struct Json<T>(pub(in crate::api::management) T);

impl<T: DeserializeOwned + JsonSchema + Send> RequestBody for Json<T> {
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(schemas.subschema_for::<T>())
    }

    async fn read(call: &mut Call) -> Result<(Self, String), Problem> {
        let kind = call.header(CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "the body must be JSON, and the Content-Type say so: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
        }
        let bytes = call.collect(LARGEST_BODY).await.map_err(|_| {
            let detail = format!("the body broke off, or is larger than {LARGEST_BODY} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
        })?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let read: T = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| Problem::invalid(field(error.path()), reason(error.inner())))?;
        json.end().map_err(|error| Problem::invalid("body", error.to_string()))?;
        let mut said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(fields) = said.as_object_mut() {
            fields.retain(|name, _| !SECRETS.contains(&name.as_str()));
        }
        Ok((Self(read), said.to_string()))
    }
}

/// What is wrong, without the place in the text: the field says where.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) if error.is_data() => reason.to_owned(),
        _ => text,
    }
}

fn field(path: &serde_path_to_error::Path) -> String {
    match path.to_string().as_str() {
        "." | "?" => "body".to_owned(),
        path => path.to_owned(),
    }
}

/// Each parameter once, none that is not known.
pub(super) fn read_query<Q: DeserializeOwned>(query: &str) -> Result<Q, Problem> {
    let mut fields = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8().map(|text| text.into_owned())
        };
        let (Ok(name), Ok(text)) = (decoded(name), decoded(text)) else {
            return Err(Problem::invalid("query", "the query is not UTF-8"));
        };
        if fields.contains_key(&name) {
            return Err(Problem::invalid(name, "the parameter is there twice"));
        }
        fields.insert(name, Value::String(text));
    }
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let name = match error.path().to_string() {
            path if path == "." => "query".to_owned(),
            path => path,
        };
        Problem::invalid(name, reason(error.inner()))
    })
}
