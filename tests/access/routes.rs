//! The table of what each route asks for, and how it answers who has that.
//!
//! A route that is added to `wharf_http::api::ROUTES` without a row here makes the matrix fail. To add one: its method, its
//! path, the letter of the right that it asks for, and the status that it answers who has the right. `{name}` becomes a
//! repository, the other words what the list below says: choose them so that a request changes nothing that another one
//! needs (what is deleted is not there, what is pushed is refused for what it is).

use ureq::http::Method;
use wharf_http::api::routes::{Found, find};
use wharf_http::api::{ROUTES, Route};

use crate::house::{content, manifest};
use crate::support::registry::digest;

/// `.` nothing, not even a token; `t` any token of ours; `c` to list all repositories; and of the repository
/// `r` to read, `w` to push, `d` to delete.
const TABLE: &str = "
    GET     /healthz                                             .  200
    HEAD    /healthz                                             .  200
    GET     /readyz                                              .  200
    HEAD    /readyz                                              .  200
    GET     /token                                               .  200
    POST    /token                                               .  400
    GET     /.well-known/jwks.json                               .  200
    HEAD    /.well-known/jwks.json                               .  200
    GET     /login                                               .  200
    POST    /login                                               .  403
    POST    /logout                                              .  303
    GET     /login/none                                          .  404
    GET     /login/none/callback                                 .  404
    GET     /device                                              .  303
    POST    /device                                              .  303
    POST    /oauth2/device                                       .  400
    POST    /oauth2/token                                        .  400
    GET     /v2/                                                 t  200
    HEAD    /v2/                                                 t  200
    GET     /v2/{name}/_oci/ext/discover                         t  200
    HEAD    /v2/{name}/_oci/ext/discover                         t  200
    GET     /v2/_catalog                                         c  200
    HEAD    /v2/_catalog                                         c  200
    GET     /v2/{name}/tags/list                                 r  200
    HEAD    /v2/{name}/tags/list                                 r  200
    GET     /v2/{name}/manifests/v1                              r  200
    HEAD    /v2/{name}/manifests/{image}                         r  200
    PUT     /v2/{name}/manifests/v2                              w  400
    DELETE  /v2/{name}/manifests/none                            d  404
    GET     /v2/{name}/referrers/{image}                         r  200
    HEAD    /v2/{name}/referrers/{image}                         r  200
    GET     /v2/{name}/blobs/{blob}                              r  200
    HEAD    /v2/{name}/blobs/{blob}                              r  200
    DELETE  /v2/{name}/blobs/{none}                              d  404
    POST    /v2/{name}/blobs/uploads/                            w  202
    GET     /v2/{name}/blobs/uploads/{upload}                    w  404
    HEAD    /v2/{name}/blobs/uploads/{upload}                    w  404
    PATCH   /v2/{name}/blobs/uploads/{upload}                    w  404
    PUT     /v2/{name}/blobs/uploads/{upload}?digest={none}      w  404
    DELETE  /v2/{name}/blobs/uploads/{upload}                    w  404
    POST    /v2/{name}/_wharf/direct/uploads/                    w  400
    GET     /v2/{name}/_wharf/direct/uploads/{upload}            w  404
    HEAD    /v2/{name}/_wharf/direct/uploads/{upload}            w  404
    PUT     /v2/{name}/_wharf/direct/uploads/{upload}?digest={none}  w  400
    DELETE  /v2/{name}/_wharf/direct/uploads/{upload}            w  404
    POST    /v2/{name}/_wharf/direct/uploads/{upload}/parts      w  400
    PUT     /v2/{name}/_wharf/direct/uploads/{upload}/parts/1    w  404
";

/// A row of the table.
#[derive(Clone)]
pub struct Row {
    pub method: Method,
    pub path: &'static str,
    pub asks: char,
    pub answers: u16,
}

impl Row {
    /// Where it goes for this repository.
    pub fn target(&self, repository: &str) -> String {
        self.path
            .replace("{name}", repository)
            .replace("{image}", &digest(&manifest(repository)))
            .replace("{blob}", &digest(&content(repository)))
            .replace("{none}", &digest(b"none"))
            .replace("{upload}", "00000000-0000-4000-8000-000000000000")
    }

    /// The row of the program's own table that it leads to.
    fn route(&self) -> &'static Route {
        let target = self.target("team/private");
        let path = target.split('?').next().unwrap();
        match find(&self.method, path) {
            Found::Route(route, _) => route,
            other => panic!("{} {path} leads to no route: {other:?}", self.method),
        }
    }
}

/// The table, once it is known to name each route of the program exactly once.
pub fn rows() -> Vec<Row> {
    let rows: Vec<Row> = TABLE.lines().filter(|line| !line.trim().is_empty()).map(row).collect();
    for route in &ROUTES {
        let named = rows.iter().filter(|row| std::ptr::eq(row.route(), route)).count();
        assert_eq!(
            named, 1,
            "of this route there must be one row in tests/access/routes.rs: {route:?}"
        );
    }
    rows
}

fn row(line: &'static str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, path, asks, answers] = words[..] else { panic!("{line}: four words are a row") };
    Row {
        method: method.parse().unwrap(),
        path,
        asks: asks.parse().unwrap(),
        answers: answers.parse().unwrap(),
    }
}
