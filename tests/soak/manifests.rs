//! The manifests that are pushed: images, indexes, and referrers of either.

use serde_json::{Value, json};

use crate::book::{Book, Content};
use crate::layers::Layers;
use crate::support::registry::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image over these layers, the first of which stands for its config; about a subject of this book, if so.
pub fn image(
    layers: &Layers,
    numbers: &[usize],
    subject: Option<(&Book, &str)>,
    mark: &str,
) -> Content {
    let descriptor = |kind: &str, number: &usize| {
        let layer = layers.get(*number);
        json!({ "mediaType": kind, "digest": layer.digest, "size": layer.bytes.len() })
    };
    let others: Vec<Value> = numbers[1..].iter().map(|it| descriptor(OCI_LAYER, it)).collect();
    let mut image = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, &numbers[0]),
        "layers": others,
        "annotations": { "mark": mark },
    });
    if let Some((book, digest)) = subject {
        image["artifactType"] = json!("application/vnd.example.note");
        image["subject"] = held(book, digest);
    }
    Content {
        bytes: image.to_string().into_bytes(),
        media_type: OCI_MANIFEST,
        layers: numbers.to_vec(),
        children: Vec::new(),
        subject: subject.map(|(_, digest)| digest.to_owned()),
    }
}

/// An index of these manifests of the book.
pub fn index(book: &Book, children: &[String], mark: &str) -> Content {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": children.iter().map(|child| held(book, child)).collect::<Vec<_>>(),
        "annotations": { "mark": mark },
    });
    Content {
        bytes: index.to_string().into_bytes(),
        media_type: OCI_INDEX,
        layers: Vec::new(),
        children: children.to_vec(),
        subject: None,
    }
}

fn held(book: &Book, digest: &str) -> Value {
    let content = &book.manifests[digest].content;
    json!({ "mediaType": content.media_type, "digest": digest, "size": content.bytes.len() })
}
