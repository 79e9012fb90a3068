//! Any text as a request's method, path and query: the route that a reading from the left finds too, and parameters decoded.

#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use wharf_fuzz::http::path::read;
use wharf_http::api::query::parameters;
use wharf_http::api::routes::{Found, ROUTES, find};

fuzz_target!(|text: &str| {
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Ok(method) = Method::from_bytes(method.as_bytes()) {
        check_route(&method, path);
    }
    check_query(query);
});

fn check_route(method: &Method, path: &str) {
    let wanted = read(path);
    let rows =
        || ROUTES.iter().filter(|row| Some(row.resource) == wanted.as_ref().map(|it| it.resource));
    match find(method, path) {
        Found::Nothing => assert!(wanted.is_none(), "{path:?}"),
        Found::OtherMethods(methods) => {
            assert!(!methods.is_empty() && !methods.contains(&method));
            assert_eq!(methods, rows().map(|row| &row.method).collect::<Vec<_>>());
        }
        Found::Route(row, place) => {
            let wanted = wanted.expect("a resource of this path");
            assert_eq!((row.resource, &row.method), (wanted.resource, method));
            assert_eq!(path.get(place.name), Some(wanted.name.as_str()), "{path:?}");
            assert_eq!(path.get(place.last), Some(wanted.last.as_str()), "{path:?}");
        }
    }
}

fn check_query(query: &str) {
    for name in ["digest", "from", "n", "last", ""] {
        let pairs: Vec<(&str, &str)> =
            query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let given: Vec<&str> =
            pairs.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect();
        let found: Vec<String> = parameters(query, name).map(|value| value.into_owned()).collect();
        assert_eq!(found.len(), given.len());
        for (found, given) in found.iter().zip(given) {
            if !given.contains('%') {
                assert_eq!(found, given);
            }
            assert!(found.chars().count() <= given.chars().count());
        }
    }
}
