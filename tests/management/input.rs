//! Input that is no good is refused with its place; paths and methods that are none are told so.

use serde_json::json;
use ureq::http::Method;

use crate::people::{Api, problem};

#[test]
fn what_is_of_no_form_is_refused_with_its_field() {
    let api = Api::start();
    let root = api.as_root();
    for (method, path, body, field) in [
        (Method::POST, "/users", json!({ "name": "A" }), "name"),
        (Method::POST, "/users", json!({ "name": "a+b" }), "name"),
        (Method::POST, "/users", json!({ "nome": "ada" }), "nome"),
        (Method::POST, "/users", json!({ "name": "cy", "email": "c\0y@example.com" }), "email"),
        (Method::POST, "/users", json!([]), "body"),
        (Method::POST, "/users", json!({}), "body"),
        (Method::POST, "/users/bob/tokens", json!({ "name": "a\nb", "role": "read" }), "name"),
        (Method::POST, "/users/bob/tokens", json!({ "name": "a", "role": "owner" }), "role"),
        (
            Method::POST,
            "/users/bob/tokens",
            json!({ "name": "a", "role": "read", "days": 0 }),
            "days",
        ),
        (
            Method::POST,
            "/users/bob/tokens",
            json!({ "name": "a", "role": "read", "pattern": "Team/*" }),
            "pattern",
        ),
        (
            Method::PUT,
            "/namespaces/team/grants",
            json!({ "subject": "ada", "role": "read" }),
            "subject",
        ),
        (Method::PATCH, "/repositories/team%2Fprivate", json!({ "visibility": 7 }), "visibility"),
        (Method::POST, "/repositories/team%2Fprivate/rename", json!({ "to": "team//x" }), "to"),
        (
            Method::POST,
            "/namespaces/team/robots/ci/trust",
            json!({ "issuer": "x", "audience": "y" }),
            "body",
        ),
    ] {
        let reply = api.ask(root, method.clone(), path, Some(&body));
        let (status, code, detail) = problem(&reply);
        assert_eq!((status, code.as_str()), (400, "invalid"), "{method} {path} {body}: {detail}");
        assert_eq!(reply.json()["field"], field, "{method} {path} {body}: {detail}");
    }
    let loose = json!({ "issuer": "https://ci.example.com", "audience": "wharf", "conditions": { "sub": "*" } });
    api.house.admin(&["robot", "team+ci"]);
    let refused = api.ask(root, Method::POST, "/namespaces/team/robots/ci/trust", Some(&loose));
    assert_eq!(problem(&refused).0, 422);
}

#[test]
fn a_body_is_json_of_a_size() {
    let api = Api::start();
    let send = |kind: &str, body: &[u8]| {
        let headers = [("Authorization", api.as_root()), ("Content-Type", kind)];
        api.house.registry.send(Method::POST, "/api/v1/users", &headers, Some(body)).unwrap()
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
        "",
    ] {
        assert_eq!(problem(&send(kind, br#"{"name":"cy"}"#)).0, 415, "{kind}");
    }
    for body in [&b"{"[..], b"", b"{} {}", b"\xff", br#"{"name":"cy","name":"di"}"#] {
        assert_eq!(problem(&send("application/json", body)).0, 400, "{body:?}");
    }
    let long = format!("{{\"name\":\"{}\"}}", "a".repeat(70_000));
    assert_eq!(problem(&send("application/json", long.as_bytes())).0, 413);
    let deep = "[".repeat(30_000);
    assert_eq!(problem(&send("application/json", deep.as_bytes())).0, 400);
    let good = send("application/json; charset=utf-8", br#"{"name":"cy"}"#);
    assert_eq!(good.status, 201, "{}", good.text());
}

#[test]
fn what_is_no_end_point_is_a_problem_too() {
    let api = Api::start();
    let root = api.as_root();
    for path in [
        "/nothing",
        "/users/",
        "//users",
        "/users/ada/",
        "/users/%FF",
        "/repositories/team/private",
    ] {
        assert_eq!(problem(&api.get(root, path)).1, "no-end-point", "{path}");
    }
    let wrong = api.ask(root, Method::PUT, "/users", Some(&json!({})));
    assert_eq!(problem(&wrong).0, 405);
    assert_eq!(wrong.header("Allow"), Some("GET, POST, HEAD"));
    let head = api.ask(root, Method::HEAD, "/users", None);
    let whole = api.get(root, "/users");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("Content-Length"), whole.header("Content-Length"));
    assert_eq!(whole.header("Cache-Control"), Some("no-store"));
    // Names that are none name nobody.
    for path in [
        "/users/Ada",
        "/users/a%00b",
        "/namespaces/team/robots/ci%2Fx",
        "/repositories/Team%2Fx/tags",
    ] {
        assert_eq!(problem(&api.get(root, path)).1, "not-found", "{path}");
    }
    let page = api.get("", "/");
    assert!(page.header("Content-Security-Policy").unwrap().starts_with("default-src 'none'"));
    assert!(page.text().contains("/namespaces/{namespace}/robots"), "{}", page.text());
}

/// Without it there are no accounts, and nobody could be told from anybody.
#[test]
fn without_access_control_there_is_no_such_api() {
    let server = crate::support::server::Server::start();
    let reply = server.registry().get("/api/v1/users").unwrap();
    assert_eq!(problem(&reply).0, 404);
}
