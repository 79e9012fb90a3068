//! Pulling something whole: the manifest, those that it needs, and every layer, each hashed again.

use crate::book::Book;
use crate::client::Client;
use crate::layers::Layers;
use crate::support::registry::digest;

/// Pulls a manifest that must be there; else says what is missing or wrong.
pub fn pull_whole(
    client: &mut Client,
    layers: &Layers,
    book: &Book,
    name: &str,
) -> Result<(), String> {
    let content = &book.manifests[name].content;
    let target = format!("/v2/{}/manifests/{name}", book.repository);
    let pulled = client.get(&target);
    if pulled.status != 200 || pulled.body != content.bytes {
        return Err(format!("{target} was answered {} {}", pulled.status, pulled.text()));
    }
    for number in &content.layers {
        let layer = layers.get(*number);
        let target = format!("/v2/{}/blobs/{}", book.repository, layer.digest);
        let pulled = client.get(&target);
        if pulled.status != 200 {
            return Err(format!("{name} needs {target}: {} {}", pulled.status, pulled.text()));
        }
        let is = digest(&pulled.body);
        if is != layer.digest {
            return Err(format!("{name} needs {target}, of which the bytes are those of {is}"));
        }
    }
    for child in &content.children {
        pull_whole(client, layers, book, child)?;
    }
    Ok(())
}
