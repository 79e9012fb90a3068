//! End-points: a row of the table is made of a handler, and tells by its types what it takes and answers.

use std::pin::Pin;
use std::sync::LazyLock;

use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::ask::{Ask, Params, RequestBody};
use super::problem::Problem;
use super::{Management, ROOT, endpoints};
use crate::api::call::Call;
use crate::body::Body;

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send>>;

/// What an end-point takes and answers.
pub(super) struct Description {
    /// The schema of the query: an object.
    pub(super) query: Schema,
    pub(super) body: Option<Schema>,
    pub(super) answer: Option<Schema>,
    pub(super) statuses: &'static [StatusCode],
}

/// A row of the table.
pub(in crate::api) struct Endpoint {
    pub(in crate::api) method: Method,
    /// Below `/api/v1`, with names in braces.
    pub(super) path: &'static str,
    /// The operation's name in logs, metrics and the description.
    pub(in crate::api) operation: &'static str,
    /// What it does, for people.
    pub(super) summary: &'static str,
    pub(super) describe: fn(&mut SchemaGenerator) -> Description,
    handler: Box<dyn Fn(Call, Params, Management) -> Answering + Send + Sync>,
}

impl Endpoint {
    /// Whether it changes anything.
    pub(in crate::api) fn mutates(&self) -> bool {
        self.method != Method::GET
    }

    pub(in crate::api) fn answer(&self, call: Call, params: Params, on: Management) -> Answering {
        (self.handler)(call, params, on)
    }
}

/// A row of a handler.
pub(super) fn endpoint<Q, B, A, F, H>(
    method: Method,
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    handler: H,
) -> Endpoint
where
    Q: DeserializeOwned + JsonSchema + Send + 'static,
    B: RequestBody + 'static,
    A: Answer + 'static,
    F: Future<Output = Result<A, Problem>> + Send + 'static,
    H: Fn(Ask<Q, B>) -> F + Copy + Send + Sync + 'static,
{
    let describe = |schemas: &mut SchemaGenerator| Description {
        query: Q::json_schema(schemas),
        body: B::schema(schemas),
        answer: A::schema(schemas),
        statuses: A::STATUSES,
    };
    let handler = Box::new(move |call: Call, params: Params, on: Management| {
        let answering = async move {
            let ask = Ask::read(call, params, on).await?;
            handler(ask).await?.reply()
        };
        Box::pin(answering) as Answering
    });
    Endpoint { method, path, operation, summary, describe, handler }
}

/// All end-points, and how a path finds its own.
struct Table {
    endpoints: Vec<Endpoint>,
    /// The rows of each path, with the names in it.
    paths: matchit::Router<Vec<usize>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let endpoints = endpoints::all();
    let mut rows: Vec<(&'static str, Vec<usize>)> = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        match rows.iter_mut().find(|(path, _)| *path == endpoint.path) {
            Some((_, of_path)) => of_path.push(index),
            None => rows.push((endpoint.path, vec![index])),
        }
    }
    let mut paths = matchit::Router::new();
    for (path, of_path) in rows {
        #[allow(clippy::expect_used, reason = "the table is the same in every process")]
        paths.insert(path, of_path).expect("no two paths of the table are in each other's way");
    }
    Table { endpoints, paths }
});

/// All end-points.
pub(super) fn all() -> &'static [Endpoint] {
    &TABLE.endpoints
}

/// A row, for those who walk the table from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The method.
    pub method: Method,
    /// The path, with names in braces.
    pub path: String,
    /// The operation's name.
    pub operation: &'static str,
}

/// All end-points, for those who walk the table from outside.
pub fn listed() -> Vec<Listed> {
    let list = |endpoint: &Endpoint| Listed {
        method: endpoint.method.clone(),
        path: format!("{ROOT}{}", endpoint.path),
        operation: endpoint.operation,
    };
    all().iter().map(list).collect()
}

/// What a method and a path lead to.
pub(in crate::api) enum Found {
    Endpoint(&'static Endpoint, Params),
    OtherMethods(Vec<&'static str>),
    Nothing,
}

/// Where a request leads. `path` is as it came: a slash in a name is written `%2F`.
pub(in crate::api) fn find(method: &Method, path: &str) -> Found {
    let below = path.strip_prefix(ROOT).unwrap_or_default();
    let below = if below.is_empty() { "/" } else { below };
    let Ok(matched) = TABLE.paths.at(below) else { return Found::Nothing };
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let rows = || matched.value.iter().filter_map(|index| TABLE.endpoints.get(*index));
    let Some(endpoint) = rows().find(|endpoint| endpoint.method == *method) else {
        let mut allowed: Vec<&str> = rows().map(|endpoint| endpoint.method.as_str()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        return Found::OtherMethods(allowed);
    };
    let names = endpoint.path.split('/').filter_map(|segment| {
        segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'))
    });
    let mut params = Params::new();
    for name in names {
        let text = matched.params.get(name).unwrap_or_default();
        let Ok(text) = percent_decode_str(text).decode_utf8() else { return Found::Nothing };
        params.push((name, text.into_owned()));
    }
    Found::Endpoint(endpoint, params)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn found(path: &str) -> Params {
        match find(&Method::GET, path) {
            Found::Endpoint(_, params) => params,
            Found::OtherMethods(_) => panic!("{path} has other methods"),
            Found::Nothing => panic!("{path} is nothing"),
        }
    }

    #[test]
    fn a_repository_is_one_segment() {
        let expected = vec![("repository", "team/app".to_owned()), ("tag", "v1".to_owned())];
        assert_eq!(found("/api/v1/repositories/team%2Fapp/tags/v1"), expected);
        assert!(matches!(
            find(&Method::GET, "/api/v1/repositories/team/app/tags/v1"),
            Found::Nothing
        ));
        assert!(matches!(find(&Method::GET, "/api/v1/users/%ff"), Found::Nothing));
        let Found::OtherMethods(allowed) = find(&Method::PUT, "/api/v1/users") else { panic!() };
        assert_eq!(allowed, ["GET", "POST", "HEAD"]);
    }

    #[test]
    fn each_operation_has_a_name_of_its_own() {
        let mut names: Vec<_> = all().iter().map(|endpoint| endpoint.operation).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(all().iter().all(|it| it.summary.ends_with('.') && it.path.starts_with('/')));
    }
}
