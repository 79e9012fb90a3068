//! What a manifest says by a reader that looks fields up one by one in a generic JSON tree.

use serde_json::{Map, Value};
use wharf_oci::{Descriptor, Kind, MAX_DEPTH, Manifest};

/// The keys that decide what a manifest is.
pub const KEYS_OF_MANIFESTS: [&str; 8] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
];

/// The keys of a descriptor.
pub const KEYS_OF_DESCRIPTORS: [&str; 8] =
    ["mediaType", "digest", "size", "artifactType", "annotations", "urls", "data", "platform"];

/// Asserts that a generic reader of `bytes` finds in them what `manifest` says.
///
/// # Panics
/// When it does not.
pub fn assert_agrees(bytes: &[u8], manifest: &Manifest) {
    let document: Value = serde_json::from_slice(bytes).expect("an accepted manifest is JSON");
    let members = document.as_object().expect("an accepted manifest is an object");
    assert_plain(bytes, &document);
    assert_undisguised(members, &KEYS_OF_MANIFESTS);
    assert_eq!(document["schemaVersion"], 2);
    match document.get("mediaType") {
        None | Some(Value::Null) => assert!(manifest.media_type.as_str().contains(".oci.")),
        Some(stated) => assert_eq!(stated, manifest.media_type.as_str()),
    }
    match &manifest.kind {
        Kind::Image { config, layers } => {
            assert!(!manifest.media_type.is_index());
            assert!(document.get("manifests").is_none(), "an image names no manifests");
            assert_descriptor(&document["config"], config);
            assert_descriptors(&document["layers"], layers);
        }
        Kind::Index { manifests } => {
            assert!(manifest.media_type.is_index());
            assert!(document.get("layers").is_none(), "an index names no layers");
            assert!(document.get("config").is_none(), "an index names no configuration");
            assert_descriptors(&document["manifests"], manifests);
        }
    }
    assert_eq!(
        text(&document, "artifactType").filter(|found| !found.is_empty()),
        manifest.artifact_type.as_deref()
    );
    match &manifest.subject {
        Some(subject) => assert_descriptor(&document["subject"], subject),
        None => assert!(document["subject"].is_null()),
    }
    let annotations = document["annotations"].as_object();
    assert_eq!(annotations.map_or(0, serde_json::Map::len), manifest.annotations.len());
    for (key, value) in &manifest.annotations {
        assert_eq!(&document["annotations"][key], value);
    }
}

/// No key stands twice, nothing is nested too deeply. Outside of strings a colon is a member, a bracket a level.
fn assert_plain(bytes: &[u8], document: &Value) {
    let (mut colons, mut depth) = (0, 0_usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b':' => colons += 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        assert!(depth <= MAX_DEPTH, "nested too deeply");
    }
    assert_eq!(
        colons,
        count_members(document),
        "a reader that keeps one of two equal keys kept fewer"
    );
}

fn count_members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_members).sum(),
        Value::Object(members) => {
            members.len() + members.values().map(count_members).sum::<usize>()
        }
        _ => 0,
    }
}

/// No key that a reader blind to case would take for a known one.
fn assert_undisguised(members: &Map<String, Value>, known: &[&str]) {
    let folded = |key: &str| key.replace('ſ', "s").replace('\u{212a}', "k").to_ascii_lowercase();
    for key in members.keys() {
        for known in known {
            assert!(key == known || folded(key) != folded(known), "{key} is {known} in disguise");
        }
    }
}

fn assert_descriptors(found: &Value, descriptors: &[Descriptor]) {
    let found = found.as_array().expect("descriptors stand in an array");
    assert_eq!(found.len(), descriptors.len());
    for (found, descriptor) in found.iter().zip(descriptors) {
        assert_descriptor(found, descriptor);
    }
}

fn assert_descriptor(found: &Value, descriptor: &Descriptor) {
    let members = found.as_object().expect("a descriptor is an object");
    assert_undisguised(members, &KEYS_OF_DESCRIPTORS);
    assert_eq!(found["mediaType"], descriptor.media_type);
    assert_eq!(found["digest"], descriptor.digest.to_string());
    // The specification's size is an int64: what other readers take is no larger.
    assert_eq!(found["size"].as_i64().map(i64::cast_unsigned), Some(descriptor.size));
    assert_eq!(text(found, "artifactType"), descriptor.artifact_type.as_deref());
    assert_eq!(text(found, "data"), descriptor.data.as_deref());
    let urls = found["urls"].as_array();
    assert_eq!(urls.map(Vec::len), descriptor.urls.as_ref().map(Vec::len));
    for (found, url) in urls.into_iter().flatten().zip(descriptor.urls.iter().flatten()) {
        assert_eq!(found, url);
    }
    let annotations = found["annotations"].as_object();
    assert_eq!(
        annotations.map(serde_json::Map::len),
        descriptor.annotations.as_ref().map(std::collections::BTreeMap::len)
    );
    for (key, value) in descriptor.annotations.iter().flatten() {
        assert_eq!(&found["annotations"][key], value);
    }
    match &descriptor.platform {
        Some(platform) => {
            let members = found["platform"].as_object().expect("a platform is an object");
            assert_undisguised(members, &["architecture", "os", "variant"]);
            assert_eq!(text(&found["platform"], "architecture"), Some(&*platform.architecture));
            assert_eq!(text(&found["platform"], "os"), Some(&*platform.os));
            assert_eq!(text(&found["platform"], "variant"), platform.variant.as_deref());
        }
        None => assert!(found["platform"].is_null()),
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value[key].as_str()
}
