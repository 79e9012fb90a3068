//! How much a manifest may say.

use wharf_oci::{MAX_ANNOTATIONS, MAX_DESCRIPTORS, Manifest, ManifestError};

fn index_of(children: usize, annotation: usize) -> Vec<u8> {
    let digest = format!("sha256:{}", "a".repeat(64));
    let child = format!(
        r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":1}}"#
    );
    let children = vec![child; children].join(",");
    let text = "x".repeat(annotation);
    format!(r#"{{"schemaVersion":2,"manifests":[{children}],"annotations":{{"k":"{text}"}}}}"#)
        .into_bytes()
}

#[test]
fn a_manifest_names_as_many_others_as_one_may_and_no_more() {
    assert!(Manifest::parse(&index_of(MAX_DESCRIPTORS, 0), None).is_ok());
    let refused = Manifest::parse(&index_of(MAX_DESCRIPTORS + 1, 0), None);
    assert!(
        matches!(refused, Err(ManifestError::TooManyDescriptors(found)) if found == MAX_DESCRIPTORS + 1)
    );
}

#[test]
fn annotations_are_as_long_as_they_may_be_and_no_longer() {
    let room = MAX_ANNOTATIONS - "k".len();
    assert!(Manifest::parse(&index_of(0, room), None).is_ok());
    let refused = Manifest::parse(&index_of(0, room + 1), None);
    assert!(
        matches!(refused, Err(ManifestError::AnnotationsTooLong(found)) if found == MAX_ANNOTATIONS + 1)
    );
}
