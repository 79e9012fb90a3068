//! The API as a page for people, made of its description.

use std::fmt::Write as _;
use std::sync::LazyLock;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::ROOT;
use super::answer::Answer;
use super::ask::Ask;
use super::open_api;
use super::problem::Problem;
use crate::api::reply;
use crate::body::Body;

static PAGE: LazyLock<String> = LazyLock::new(write);

/// A page.
pub(super) struct Html(&'static str);

impl Answer for Html {
    const STATUSES: &'static [StatusCode] = &[StatusCode::OK];

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        Some(schemars::json_schema!({ "type": "string" }))
    }

    fn reply(self) -> Result<Response<Body>, Problem> {
        let mut response = reply::new(StatusCode::OK, self.0.to_owned());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        Ok(response)
    }
}

pub(super) async fn page(_: Ask) -> Result<Html, Problem> {
    Ok(Html(&PAGE))
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
    code{font-family:ui-monospace,monospace;background:#f2f2f2;padding:.1em .3em;border-radius:3px}\
    h3{margin:1.6em 0 .2em}h3 code{background:none;padding:0}.m{display:inline-block;min-width:4.5em;color:#06c}\
    table{border-collapse:collapse;margin:.3em 0}td{padding:.1em 1em .1em 0;vertical-align:top}p{margin:.2em 0}";

fn write() -> String {
    let document = open_api::document();
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Wharf's management API</title><style>{STYLE}</style>\
         <h1>Wharf's management API</h1><p>Everything is below <code>{ROOT}</code>, and described for programs in \
         <a href=\"{ROOT}/openapi.json\">openapi.json</a>. Log in by <code>Basic</code> with a name and a password or \
         token, or by <code>Bearer</code> with a token. A slash in the name of a repository is written \
         <code>%2F</code>. What goes wrong is answered as a problem (RFC 9457), what is not yours to see as what is \
         not there. Lists come in pages: <code>next</code> of one is <code>after</code> of the following."
    );
    let paths = document["paths"].as_object();
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            end_point(&mut page, path, method, operation, &document);
        }
    }
    page.push_str("</html>\n");
    page
}

fn end_point(page: &mut String, path: &str, method: &str, operation: &Value, document: &Value) {
    let summary = operation["summary"].as_str().unwrap_or_default();
    let (method, path) = (method.to_uppercase(), escaped(path));
    let _ = write!(
        page,
        "<h3><code><span class=m>{method}</span> {path}</code></h3><p>{}</p><table>",
        escaped(summary)
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] != "path" {
            let text = parameter["description"].as_str().unwrap_or_default();
            row(page, &parameter["name"], text);
        }
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    for (name, property) in properties(body, document) {
        let text = property["description"].as_str().map(ToOwned::to_owned);
        let text = text.or_else(|| described(property, document)).unwrap_or_default();
        row(page, &Value::String(format!("{{ {name} }}")), &text);
    }
    page.push_str("</table>");
}

/// The properties of a schema, which may stand elsewhere.
fn properties<'a>(schema: &'a Value, document: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let schema = resolved(schema, document).unwrap_or(schema);
    schema["properties"].as_object().into_iter().flatten().collect()
}

fn described(schema: &Value, document: &Value) -> Option<String> {
    resolved(schema, document)?["description"].as_str().map(ToOwned::to_owned)
}

fn resolved<'a>(schema: &Value, document: &'a Value) -> Option<&'a Value> {
    document.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
}

fn row(page: &mut String, name: &Value, text: &str) {
    let name = escaped(name.as_str().unwrap_or_default());
    let _ = write!(page, "<tr><td><code>{name}</code><td>{}", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
