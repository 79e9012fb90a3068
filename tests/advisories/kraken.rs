//! That of Kraken, Uber's registry that shares layers between nodes.

use std::fs;

use ureq::http::Method;

use crate::forging::{part, with_part};
use crate::house::{House, bearer};
use crate::support::registry::digest;
use crate::support::server::Server;

#[path = "../api/wire.rs"]
mod wire;

use wire::Wire;

/// Reads a file through the server, whatever its client made of the path.
fn raw(server: &Server, method: &str, target: &str, authorization: &str) -> wire::Reply {
    let mut wire = Wire::to(server.port());
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    wire.send(request.as_bytes());
    wire.reply(method == "HEAD").unwrap()
}

/// A name in a path was joined to a folder as it came, so `..` read any file of the machine. Here a name, a tag, a digest,
/// an upload's id and a part's number are types that hold no `..` and no leading `/`, and no file is named by a client.
#[test]
fn cve_2022_47747_no_path_leads_to_a_file() {
    let house = House::start();
    let root = bearer(&house.token("root", "repository:team/private:pull,push registry:catalog:*"));
    let secret = house.data().join("keys/first.pem");
    let key = fs::read_to_string(&secret).unwrap();
    let upload = house.ask(Method::POST, "/v2/team/private/blobs/uploads/", &root);
    assert_eq!(upload.status, 202);
    let whole = secret.to_str().unwrap().replace('/', "%2f");
    let encoded = "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f";
    for path in ["../../../../", encoded, "..%2f..%2f..%2f", "....//....//", "..%5c..%5c"] {
        for file in ["keys/first.pem", "keys%2ffirst.pem", "etc/passwd", "etc%2fpasswd", &whole] {
            for before in [
                "/",
                "/v2/",
                "/v2/team/private/manifests/",
                "/v2/team/private/blobs/",
                "/v2/team/private/blobs/sha256:",
                "/v2/team/private/blobs/uploads/",
                "/v2/team/private/referrers/",
                "/v2/team/private/_wharf/direct/uploads/",
            ] {
                let target = format!("{before}{path}{file}");
                let reply = raw(&house.server, "GET", &target, &root);
                assert!([400, 404].contains(&reply.status), "{target}: {}", reply.text());
                let is_file =
                    reply.text().contains("root:") || reply.text().contains("PRIVATE KEY");
                assert!(!is_file, "{target}: {}", reply.text());
            }
        }
    }
    // Nor one named in a token's header.
    let token = house.token("reader", "repository:team/private:pull");
    for kid in ["../keys/first.pem", "first.pem", secret.to_str().unwrap(), "/dev/null"] {
        let mut header = part(&token, 0);
        header["kid"] = kid.into();
        let forged = bearer(&with_part(&token, 0, &header));
        let reply = house.ask(Method::GET, "/v2/team/private/manifests/v1", &forged);
        assert_eq!(reply.status, 401, "{kid}");
    }
    // The same way leads to what is there.
    let blob = digest(&crate::house::content("team/private"));
    let target = format!("/v2/team/private/blobs/{blob}");
    assert_eq!(raw(&house.server, "GET", &target, &root).status, 200);
    assert_eq!(fs::read_to_string(&secret).unwrap(), key);
}
