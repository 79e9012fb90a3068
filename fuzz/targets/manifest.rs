//! Any bytes as a manifest: refused, or read as a generic JSON reader reads them, under one `Content-Type` alone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::oci::manifest::assert_agrees;
use wharf_oci::{Descriptor, Manifest, MediaType};

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes, None) else {
        for media_type in MediaType::ALL {
            assert!(Manifest::parse(bytes, Some(media_type.as_str())).is_err());
        }
        return;
    };
    assert_agrees(bytes, &manifest);
    for media_type in MediaType::ALL {
        match Manifest::parse(bytes, Some(media_type.as_str())) {
            Ok(again) => assert!(media_type == manifest.media_type && again == manifest),
            Err(_) => assert_ne!(media_type, manifest.media_type),
        }
    }
    for descriptor in manifest.blobs().chain(manifest.children()).chain(&manifest.subject) {
        let text = serde_json::to_string(descriptor).expect("a descriptor can be written");
        let again: Descriptor = serde_json::from_str(&text).expect("and read again");
        assert_eq!(&again, descriptor);
    }
});
