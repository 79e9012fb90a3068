//! How much a repository holds is what the registry says that it does: every charge was ended that was begun, and no other.

use std::collections::BTreeMap;

use serde_json::json;

use crate::book::Book;
use crate::client::Client;
use crate::layers::Layers;

/// Compares the counters of a repository with what these books say that it holds, which is all.
pub fn is_counted(client: &mut Client, layers: &Layers, repository: &str, books: &[&Book]) {
    let held = |book: &Book| {
        let content = |digest: &String| book.manifests[digest].content.clone();
        book.certain().iter().map(content).collect::<Vec<_>>()
    };
    let held: Vec<_> = books.iter().flat_map(|book| held(book)).collect();
    let of_layers = held.iter().flat_map(|content| &content.layers).map(|number| {
        let layer = layers.get(*number);
        (&layer.digest, layer.bytes.len())
    });
    let once: BTreeMap<_, _> = of_layers.collect();
    let own: usize = held.iter().map(|content| content.bytes.len()).sum();
    let usage = format!("/api/v1/repositories/{}/usage", repository.replace('/', "%2F"));
    let said = client.get(&usage);
    assert_eq!(said.status, 200, "{}", said.text());
    let said = said.json();
    let listed = client.get(&format!("/v2/{repository}/tags/list?n=1000")).json();
    let tags = listed["tags"].as_array().map_or(0, Vec::len);
    for (what, is) in [
        ("bytes", once.values().sum::<usize>() + own),
        ("reserved_bytes", 0),
        ("manifests", held.len()),
        ("tags", tags),
    ] {
        assert_eq!(said[what], json!(is), "{what} of {repository}: {said}");
    }
}
