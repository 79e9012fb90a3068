//! The description of the API (OpenAPI 3.1), made of the table and of the types of its handlers.

use std::sync::LazyLock;

use http::{Response, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::ROOT;
use super::answer::Answer;
use super::ask::Ask;
use super::problem::{Document, Problem};
use super::table::{self, Description, Endpoint};
use super::values::{Textual, TokenName};
use crate::api::reply::{self, JSON};
use crate::body::Body;

/// The description, as text.
static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// A document that is there already, as its text.
pub(super) struct Ready(&'static str);

impl Answer for Ready {
    const STATUSES: &'static [StatusCode] = &[StatusCode::OK];

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        Some(schemars::json_schema!({ "type": "object" }))
    }

    fn reply(self) -> Result<Response<Body>, Problem> {
        Ok(reply::json(JSON, self.0.to_owned(), false))
    }
}

pub(super) async fn get(_: Ask) -> Result<Ready, Problem> {
    Ok(Ready(&TEXT))
}

/// The description.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = SchemaGenerator::new(settings);
    let problem = schemas.subschema_for::<Document>();
    let mut paths = Map::new();
    for endpoint in table::all() {
        let described = operation(endpoint, &mut schemas, &problem);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_lowercase()] = described;
    }
    let definitions = schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wharf's management API",
            "version": "1",
            "description": "Accounts, grants, repositories, and the records of what was done.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": ROOT }],
        "security": [{}, { "basic": [] }, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "basic": {
                    "type": "http", "scheme": "basic",
                    "description": "A name, and a password, a personal token or a robot's secret.",
                },
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "A personal token or a robot's secret alone.",
                },
            },
        },
    })
}

fn operation(endpoint: &Endpoint, schemas: &mut SchemaGenerator, problem: &Schema) -> Value {
    let Description { query, body, answer, statuses } = (endpoint.describe)(schemas);
    let mut parameters: Vec<Value> = names(endpoint.path).map(of_path).collect();
    parameters.extend(of_query(&query));
    if endpoint.mutates() {
        parameters.extend(headers(endpoint, statuses));
    }
    let mut responses = Map::new();
    for status in statuses {
        let mut response = json!({ "description": status.canonical_reason() });
        let has_body = ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(status);
        if let (Some(schema), true) = (&answer, has_body) {
            let media_type = if endpoint.path == "/" { "text/html" } else { "application/json" };
            response["content"] = json!({ media_type: { "schema": schema } });
        }
        responses.insert(status.as_str().to_owned(), response);
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "It is not done; the problem says why (RFC 9457).",
            "content": { "application/problem+json": { "schema": problem } },
        }),
    );
    let mut described = json!({
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "tags": [endpoint.path.split('/').nth(1).filter(|tag| !tag.is_empty()).unwrap_or("api")],
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    described
}

/// The names in a path.
fn names(path: &'static str) -> impl Iterator<Item = &'static str> {
    let braced = |segment: &'static str| segment.strip_prefix('{')?.strip_suffix('}');
    path.split('/').filter_map(braced)
}

fn of_path(name: &str) -> Value {
    let schema = match name {
        "repository" => wharf_oci::RepositoryName::form(),
        "tag" => wharf_oci::Tag::form(),
        "digest" => wharf_oci::Digest::form(),
        "token" | "invitation" => TokenName::form(),
        "rule" => u32::form(),
        _ => wharf_core::permissions::AccountName::form(),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// The parameters of a query, whose schema is that of an object.
fn of_query(query: &Schema) -> Vec<Value> {
    let Some(properties) = query.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let required = query.get("required").and_then(Value::as_array);
    let parameter = |(name, schema): (&String, &Value)| {
        let is_required =
            required.is_some_and(|names| names.iter().any(|it| it.as_str() == Some(name)));
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        // A parameter is there or not; it is never null.
        if let Some(any_of) = schema.get("anyOf").and_then(Value::as_array)
            && let Some(real) = any_of.iter().find(|it| it.get("type") != Some(&json!("null")))
        {
            schema = real.clone();
        }
        json!({
            "name": name, "in": "query", "required": is_required, "schema": schema,
            "description": description.unwrap_or_default(),
        })
    };
    properties.iter().map(parameter).collect()
}

/// The headers that changes take.
fn headers(endpoint: &Endpoint, statuses: &[StatusCode]) -> Vec<Value> {
    let header = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "header", "required": false, "description": description, "schema": schema });
    let mut headers = Vec::new();
    if statuses.contains(&StatusCode::CREATED) {
        let description =
            "Names the request, so that it is done once, however often it is sent within a day.";
        let form = json!({ "type": "string", "pattern": "^[!-~]{1,255}$" });
        headers.push(header("Idempotency-Key", description, form));
    }
    if endpoint.method == http::Method::PATCH || statuses.contains(&StatusCode::NOT_MODIFIED) {
        let description = "The ETag of what is changed: it must not have changed meanwhile.";
        headers.push(header("If-Match", description, json!({ "type": "string" })));
    }
    headers
}
