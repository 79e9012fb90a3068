//! What is private and what is not there get the same replies, header by header: from every node, with caches cold and
//! warm, where nodes send blobs and where they redirect.

use ureq::http::Method;

use crate::cluster::{Cluster, NODES};
use crate::house::{bearer, content, manifest};
use crate::support::registry::{Registry, Reply, digest};

/// What differs between any two replies of a server.
const OF_THE_MOMENT: [&str; 2] = ["date", "x-request-id"];

/// All of a reply, with these words of its request made alike.
fn whole(reply: &Reply, names: &[&str]) -> String {
    let mut text = format!("{}\n", reply.status);
    for (name, value) in reply.headers() {
        if !OF_THE_MOMENT.contains(&name.as_str()) {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text.push_str(&reply.text());
    for name in names {
        text = text.replace(name, "NAME");
    }
    // The upload that a mount begins where nothing can be mounted.
    if let Some(upload) = reply.header("Docker-Upload-UUID") {
        text = text.replace(upload, "UPLOAD");
    }
    text
}

/// Every route that reads, and those that would take something from elsewhere.
fn reads() -> Vec<(Method, String)> {
    let (blob, image) = (digest(&content("team/private")), digest(&manifest("team/private")));
    let paths = [
        "manifests/v1".to_owned(),
        format!("manifests/{image}"),
        format!("blobs/{blob}"),
        "tags/list".to_owned(),
        "tags/list?n=1".to_owned(),
        format!("referrers/{image}"),
    ];
    let mut reads: Vec<(Method, String)> = Vec::new();
    for path in paths {
        reads.push((Method::GET, path.clone()));
        reads.push((Method::HEAD, path));
    }
    reads.push((Method::DELETE, "manifests/v1".to_owned()));
    reads.push((Method::POST, "blobs/uploads/".to_owned()));
    reads
}

fn send(node: &Registry, method: &Method, target: &str, token: Option<&str>) -> Reply {
    let headers: Vec<(&str, &str)> = token.iter().map(|token| ("Authorization", *token)).collect();
    let body = (*method == Method::POST).then_some(&b""[..]);
    node.send(method.clone(), target, &headers, body).unwrap()
}

/// A repository that is somebody else's, and one that nobody has.
fn compare_repositories(cluster: &Cluster, round: &str) {
    for node in 0..NODES {
        let registry = cluster.node(node);
        for who in ["", "anonymous", "bob"] {
            let [private, absent] = ["team/private", "team/nothing"].map(|repository| {
                let scope = format!("repository:{repository}:pull,push,delete");
                let user = if who == "anonymous" { "" } else { who };
                let token =
                    (!who.is_empty()).then(|| bearer(&cluster.token(&registry, user, &scope)));
                (repository, token)
            });
            for (method, path) in reads() {
                let [there, not_there] = [&private, &absent].map(|(repository, token)| {
                    let target = format!("/v2/{repository}/{path}");
                    let reply = send(&registry, &method, &target, token.as_deref());
                    assert_eq!(reply.status, 401, "{who} {method} {target}");
                    whole(&reply, &[repository])
                });
                assert_eq!(there, not_there, "{round}, node {node}, {who:?}: {method} {path}");
            }
        }
    }
}

/// A digest that somebody else holds, and one that nobody holds, through one's own repository.
fn compare_digests(cluster: &Cluster, round: &str) {
    let known = [digest(&content("team/private")), digest(&manifest("team/private"))];
    let unknown = digest(format!("nobody has this, {round}").as_bytes());
    for node in 0..NODES {
        let registry = cluster.node(node);
        let scope = "repository:bob/app:pull,push repository:team/private:pull";
        let token = bearer(&cluster.token(&registry, "bob", scope));
        for (method, path) in [
            (Method::GET, "blobs/DIGEST"),
            (Method::HEAD, "blobs/DIGEST"),
            (Method::GET, "manifests/DIGEST"),
            (Method::HEAD, "manifests/DIGEST"),
            (Method::GET, "referrers/DIGEST"),
            (Method::POST, "blobs/uploads/?mount=DIGEST"),
            (Method::POST, "blobs/uploads/?mount=DIGEST&from=team/private"),
            (Method::POST, "blobs/uploads/?mount=DIGEST&from=team/nothing"),
        ] {
            let said = |digest: &String| {
                let target = format!("/v2/bob/app/{}", path.replace("DIGEST", digest));
                let reply = send(&registry, &method, &target, Some(&token));
                assert_ne!(reply.status, 201, "{method} {target}");
                assert_ne!(reply.status, 307, "{method} {target}");
                whole(&reply, &[digest])
            };
            for known in &known {
                let what = format!("{round}, node {node}: {method} {path}");
                assert_eq!(said(known), said(&unknown), "{what}");
            }
        }
    }
}

fn compare(mode: &str) {
    let settings = [("WHARF_DELIVERY_MODE", mode), ("WHARF_DELIVERY_LEAST_SIZE", "0")];
    let cluster = Cluster::start(&settings);
    cluster.push("ada", "team/private", "private");
    cluster.push("bob", "bob/app", "private");
    compare_repositories(&cluster, "cold");
    compare_digests(&cluster, "cold");
    // Who may, pulls all of it from every node: caches know it now.
    for node in 0..NODES {
        let registry = cluster.node(node);
        let token = bearer(&cluster.token(&registry, "reader", "repository:team/private:pull"));
        for (method, path) in reads().iter().filter(|(method, _)| *method == Method::GET) {
            let reply = send(&registry, method, &format!("/v2/team/private/{path}"), Some(&token));
            let sent = if mode == "redirect" && path.starts_with("blobs") { 307 } else { 200 };
            assert_eq!(reply.status, sent, "{path}: {}", reply.text());
        }
    }
    compare_repositories(&cluster, "warm");
    compare_digests(&cluster, "warm");
}

#[test]
fn what_is_private_looks_absent_where_nodes_send_blobs() {
    compare("stream");
}

#[test]
fn what_is_private_looks_absent_where_nodes_redirect() {
    compare("redirect");
}
