//! The names that images have in layouts and archives, and the tags in them.

use wharf_oci::{Descriptor, Tag};

/// The annotation that names an image in a layout (image-spec, annotations.md): a tag or a whole name.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation in which Docker and containerd keep the whole name.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// The names that annotations give to what is described.
pub(crate) fn names_of(descriptor: &Descriptor) -> Vec<String> {
    let Some(annotations) = &descriptor.annotations else { return Vec::new() };
    // The whole name says more than the tag, and holds it.
    let name = annotations.get(IMAGE_NAME).or_else(|| annotations.get(REF_NAME));
    name.cloned().into_iter().collect()
}

/// The tag in a name: the name itself, or what stands after its last colon.
pub(crate) fn tag_of(name: &str) -> Option<Tag> {
    if let Ok(tag) = name.parse() {
        return Some(tag);
    }
    let (name, _digest) = name.split_once('@').unwrap_or((name, ""));
    let (_, tag) = name.rsplit_once(':')?;
    tag.parse().ok()
}

/// Whether one of `names` is meant by `wanted`: the whole name, or its tag alone.
pub(crate) fn has_name(names: &[String], wanted: &str) -> bool {
    names
        .iter()
        .any(|name| name == wanted || tag_of(name).is_some_and(|tag| tag.as_str() == wanted))
}
