//! One table of bad requests over raw TCP, each with its exact reply, and nothing of them left afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "bad_input_http.rs"]
mod http;
#[path = "bad_input_manifests.rs"]
mod manifests;
#[path = "bad_input_paths.rs"]
mod paths;
#[path = "bad_input_rows.rs"]
mod rows;
mod support;
#[path = "bad_input_uploads.rs"]
mod uploads;
#[path = "api/wire.rs"]
mod wire;

use std::fs;
use std::path::Path;
use std::time::Duration;

use rows::Row;
use serde_json::Value;
use support::program::wait_until;
use support::registry::{Registry, digest, image_manifest};
use support::server::Server;
use wire::{Reply, Wire};

/// Where `{upload}` stands in a row.
const UPLOAD: &str = "{upload}";

#[test]
fn every_bad_request_is_told_what_is_wrong_and_leaves_nothing_behind() {
    let server = Server::start();
    let registry = server.registry();
    push_image(&registry);
    let before = everything(&server);
    let rows: Vec<Row> = [
        paths::names(),
        paths::references(),
        paths::lists(),
        manifests::manifests(),
        uploads::uploads(),
        http::http(),
    ]
    .into_iter()
    .flatten()
    .collect();

    let wrong: Vec<String> = rows.iter().filter_map(|row| differs(&server, row)).collect();

    wait_until("nothing is left of them", Duration::from_secs(30), || {
        everything(&server) == before
    });
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn a_request_with_chunks_and_a_length_is_the_last_on_its_connection() {
    let server = Server::start();
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let second = rows::get("/v2/");
        let second = [b"0\r\n\r\n", second.as_slice()].concat();
        let mut wire = Wire::to(server.port());
        wire.send(&rows::request("PUT /v2/app/manifests/new", headers, &second));
        assert_eq!(wire.reply(false).unwrap().status, 400);
        assert!(wire.is_closed(), "what is behind it is answered as a request (RFC 9112, 6.1)");
    }
}

/// Sends the row's request and says how the reply differs from what the row says.
fn differs(server: &Server, row: &Row) -> Option<String> {
    let registry = server.registry();
    let upload = contains(&row.request, UPLOAD).then(|| registry.open_upload("app").unwrap());
    let id = upload.as_deref().map_or("", |place| place.rsplit('/').next().unwrap());
    let mut wire = Wire::to(server.port());
    wire.send(&replace(&row.request, id));
    if row.is_cut {
        wire.end();
    }
    let reply = wire.reply(false);
    wire.end();
    // Whatever of the request was not read must not have been taken for another one.
    let behind = wire.reply(false);
    if let Some(place) = &upload {
        // Some rows have ended it; one that was cut is still being put away.
        wait_until("the upload is gone", Duration::from_secs(30), || {
            matches!(registry.delete(place).unwrap().status, 204 | 404)
        });
    }
    let (status, code, message) = told(reply.as_ref());
    let message = message.replace(id_or_nothing(id), UPLOAD);
    let behind = behind.map_or(0, |reply| reply.status);
    if (status, code.as_str(), message.as_str()) == (row.status, row.code, row.message.as_str())
        && matches!(behind, 0 | 400)
    {
        return None;
    }
    Some(format!("{}\t{status}\t{code}\t{message}\t{behind}", row.what))
}

/// What `replace` never finds where there is no upload.
fn id_or_nothing(id: &str) -> &str {
    if id.is_empty() { "\0" } else { id }
}

/// Status, code and message of a reply that has one error; the status is 0 where there is no reply.
fn told(reply: Option<&Reply>) -> (u16, String, String) {
    let Some(reply) = reply else { return Default::default() };
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| body["errors"][0][name].as_str().unwrap_or_default().to_owned();
    (reply.status, text("code"), text("message"))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The request with the id in the place of `{upload}`, which stands in its first line.
fn replace(request: &[u8], id: &str) -> Vec<u8> {
    let Some(at) = request.windows(UPLOAD.len()).position(|window| window == UPLOAD.as_bytes())
    else {
        return request.to_owned();
    };
    [&request[..at], id.as_bytes(), &request[at + UPLOAD.len()..]].concat()
}

fn push_image(registry: &Registry) {
    let blob = |bytes: &[u8]| {
        assert_eq!(registry.push_blob("app", bytes).unwrap().status, 201);
        (digest(bytes), bytes.len())
    };
    let manifest = image_manifest(&[blob(b"{}"), blob(b"a layer")], "the one");
    assert_eq!(registry.push_manifest("app", "latest", &[], &manifest).unwrap().status, 201);
}

/// What clients see, and the files of the data folder's blobs, with their sizes.
fn everything(server: &Server) -> Vec<String> {
    let registry = server.registry();
    let mut all = Vec::new();
    for target in ["/v2/_catalog", "/v2/app/tags/list", "/v2/app/manifests/latest"] {
        all.push(registry.get(target).unwrap().text());
    }
    for folder in ["blobs/objects", "blobs/staging"] {
        list(&server.data().join(folder), &mut all);
    }
    all.sort();
    all
}

fn list(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        // A file may go away while it is looked at.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            list(&entry.path(), into);
        } else {
            into.push(format!("{} {}", entry.path().display(), about.len()));
        }
    }
}
